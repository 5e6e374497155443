"""`initject explain`."""

from __future__ import annotations

from tests.unit.cli.conftest import DEPLOYMENT, POD, POLICY, World


def test_text(world: World) -> None:
    """Each policy is told clause by clause, and the order names whose a container is."""
    policy = world.write("p.yaml", POLICY)
    author = DEPLOYMENT + "      initContainers: [{name: author, image: other}]\n"
    files = [world.write("d.yaml", author), world.write("pod.yaml", POD)]
    ran = world.run("explain", "--policies", policy, *files)

    deployment, pod = ran.out.split("\n\n")
    assert deployment.splitlines()[0] == "Deployment payments/checkout: injected by database"
    assert "    yes  match.podSelector" in deployment
    assert "     1. wait    database\n     2. author" in deployment
    assert "    no   match.podSelector" in pod or "     no  match.podSelector" in pod
    assert ran.status == 0


def test_json(world: World) -> None:
    """`-o json` says the same as data."""
    policy = world.write("p.yaml", POLICY)
    ran = world.run("explain", "--policies", policy, "-o", "json", world.write("p", DEPLOYMENT))

    (entry,) = ran.json
    assert entry["order"] == [{"name": "wait", "policy": "database"}]
    assert entry["policies"][0]["reason"]["code"] == "applied"


def test_of_one_policy(world: World) -> None:
    """--policy leaves out what is said of others, and a name that is none is wrong usage."""
    both = POLICY + "---\n" + POLICY.replace("name: database", "name: other")
    arguments = ["explain", "--policies", world.write("p.yaml", both), world.write("d", DEPLOYMENT)]

    told = world.run(*arguments, "-o", "json", "--policy", "other").json
    wrong = world.run(*arguments, "--policy", "misspelt")

    assert [policy["policy"] for policy in told[0]["policies"]] == ["other"]
    assert (wrong.status, "misspelt" in wrong.err) == (2, True)
