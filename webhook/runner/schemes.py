"""Which kinds of targets there are, by what a target begins with."""

from __future__ import annotations

from collections.abc import Mapping

# Scheme → module of `webhook.runner.kinds`.
SCHEMES: Mapping[str, str] = {
    "tcp": "tcp",
    "tls": "tls",
    "dns": "dns",
    "http": "http",
    "https": "http",
    "grpc": "grpc",
    "grpcs": "grpc",
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "redis": "redis",
    "rediss": "redis",
    "mongodb": "mongodb",
    "rabbitmq": "rabbitmq",
    "amqp": "rabbitmq",
    "amqps": "rabbitmq",
    "kafka": "kafka",
    "job": "object",
    "deployment": "object",
    "statefulset": "object",
    "pod": "object",
    "object": "object",
}
