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
# The gateway's certificate is checked against the system's authorities unless BRIDGE_GATEWAY_CA_FILE names others.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin bridge
COPY --from=build /opt/bridge /opt/bridge
COPY --from=build /build/doc /usr/share/doc/fibre-fault-bridge
ENV PATH=/opt/bridge/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8080 9090
# No HEALTHCHECK: each service answers /live and /ready on its management address, for whoever runs it to ask.
# Python is process 1 and gets SIGTERM itself.
ENTRYPOINT ["bridge"]
