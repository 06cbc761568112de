# One image for every service: `docker run IMAGE run dispatcher`, configured by BRIDGE_… variables.
# Both stages have the same base. A release pins it by digest: --build-arg BASE=python:3.11-slim-bookworm@sha256:…
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/bridge
# Hashes are checked, and nothing is resolved: what is installed is what was locked and tested.
COPY requirements.lock requirements-dev.lock ./
RUN /opt/bridge/bin/pip install --no-deps --require-hashes -r requirements.lock
# The build backend and what it needs, with the hashes of the development lock.
RUN awk '/^[^ #]/ { wanted = /^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ } wanted && !/^ *#/' \
      requirements-dev.lock > build.lock \
 && python -m pip install --no-deps --require-hashes -r build.lock
COPY pyproject.toml README.md LICENSE topics.yaml ./
COPY schemas ./schemas
COPY bridge ./bridge
RUN python -m hatchling build -t wheel -d dist \
 && /opt/bridge/bin/pip install --no-deps --no-index dist/*.whl
# What is in the image, by its own account; it fails when something is there that the lock does not name.
COPY .ci/sbom.py ./
RUN mkdir doc && /opt/bridge/bin/python sbom.py requirements.lock fibre-fault-bridge > doc/sbom.cdx.json \
 && cp LICENSE doc/ \
 && /opt/bridge/bin/pip uninstall --yes pip setuptools

FROM ${BASE}
# The base brings the system's certificate authorities, by which the gateway is checked unless BRIDGE_GATEWAY_CA_FILE names
# others; and an installer, which has nothing more to install. The user's number is the one in helm/values.yaml.
RUN groupadd --gid 10001 bridge \
 && useradd --uid 10001 --gid bridge --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin bridge \
 && python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel
COPY --from=build /opt/bridge /opt/bridge
COPY --from=build /build/doc /usr/share/doc/fibre-fault-bridge
ENV PATH=/opt/bridge/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# --build-arg VERSION=… REVISION=… CREATED=…, from the release: the version, the commit, the time of the build (RFC 3339).
ARG VERSION=unreleased REVISION=unknown CREATED=unknown
LABEL org.opencontainers.image.title="fibre-fault-bridge" \
      org.opencontainers.image.description="A bridge between fault tickets on Kafka and a supplier gateway" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
USER 10001:10001
EXPOSE 8080 9090
# No HEALTHCHECK: each service answers /live and /ready on its management address, for whoever runs it to ask.
# Python is process 1 and gets SIGTERM itself.
ENTRYPOINT ["bridge"]
