"""What a user set, as the pure rooms take it: they know no settings."""

from __future__ import annotations

from dataclasses import replace

from webhook.inject.decision import Options
from webhook.policy import glob
from webhook.recipes.defaults import Defaults
from webhook.settings import Settings

OURS = "initject"  # the word of our own image in --recipe-images


def options(settings: Settings) -> Options:
    """The options of decisions."""
    return Options(
        inject=settings.inject,
        excluded=tuple(map(glob.parse, settings.excluded)),
        keep_first=tuple(map(glob.parse, settings.keep_first)),
        mirrors=tuple(map(glob.parse, settings.mirrors)),
        pull_secrets=settings.pull_secrets,
        evictable=settings.evictable,
    )


def defaults(settings: Settings) -> Defaults:
    """What recipes take where a policy says nothing."""
    images = dict(settings.recipe_images)
    ours = images.pop(OURS, None)
    chosen = Defaults(
        tools=images,
        mirror=settings.image_mirror,
        image_volumes=settings.image_volumes,
        exit_code=settings.wait_exit_code,
    )
    return replace(chosen, runner=ours) if ours else chosen
