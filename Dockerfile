# BASE may be any image with Python 3.11 or newer and glibc (the CEL runtime has no wheel for musl).
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
# Two environments: pip and the build backend stay in the one that is thrown away.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/initject
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
RUN /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && /opt/build/bin/pip --python /opt/initject/bin/python \
        install --no-cache-dir --no-compile --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY certs certs
COPY webhook webhook
RUN /opt/build/bin/hatchling build -t wheel \
    && /opt/build/bin/pip --python /opt/initject/bin/python \
        install --no-cache-dir --no-compile --no-deps --no-index dist/*.whl
# Bytecode of all that is ever imported: the client's models, which never are, had 43 MB of it.
RUN /opt/initject/bin/python -m compileall -q -x 'kubernetes/(aio/)?client/(models|api)/[^_]' \
        /opt/initject/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="Initject" \
      org.opencontainers.image.description="Injects init containers into Kubernetes pods, by policy" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/initject /opt/initject
# Bytecode is compiled above; the root file system is read-only.
ENV PATH=/opt/initject/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    INITJECT_HOST=0.0.0.0
USER 65532:65532
EXPOSE 8443 8081
ENTRYPOINT ["initject"]
CMD ["serve"]
