# nasoa for CPU nodes. Built from the root of the checkout; images/README.md tells about arguments.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS builder
# A private index, or none if images/wheelhouse has everything.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_NO_INDEX
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_FIND_LINKS=/build/wheelhouse \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PATH=/opt/nasoa/bin:$PATH
WORKDIR /build
COPY images/wheelhouse/ wheelhouse/
COPY constraints/build.txt constraints/cpu.txt constraints/
# Without build isolation, so that the build tools are pinned with hashes too. Tests, headers and
# compilers of dependencies are not needed and take 300 MB; they are removed in the same step, because
# every step adds a layer. Bytecode is kept: each step of a pipeline starts a process that cannot store
# what it compiles. Some files are for later Python versions and do not compile, which pip ignores, too.
RUN python3 -m venv /opt/nasoa \
    && pip install --require-hashes -r constraints/build.txt \
    && pip install --require-hashes --no-build-isolation --no-compile -r constraints/cpu.txt \
    && find /opt/nasoa -type d \( -name tests -o -path '*/torch/test' -o -path '*/torch/include' \) \
        -prune -exec rm -rf {} + \
    && find /opt/nasoa/lib/*/site-packages/torch/bin -type f ! -name torch_shm_manager -delete \
    && { python -m compileall -qq -j 0 /opt/nasoa/lib || true; }
COPY pyproject.toml README.md LICENSE ./
COPY nasoa/ nasoa/
COPY components/ components/
COPY pipelines/ pipelines/
# Check that all requirements are installed; the lock for CPU omits torchvision (scripts/lock_images.py).
RUN pip install --no-deps --no-build-isolation --compile . \
    && { pip check || true; } | { ! grep -v -e '^No broken' -e ' requires torchvision, which is not'; } \
    && pip uninstall -y pip

FROM ${BASE_IMAGE}
# A numeric id, so that Kubernetes can tell that it is not root. Some programs need the user's name.
RUN echo "nasoa:x:10001:10001::/tmp:/usr/sbin/nologin" >> /etc/passwd \
    && echo "nasoa:x:10001:" >> /etc/group \
    && mkdir -m 1777 /cache \
    && if python3 -m pip --version; then python3 -m pip uninstall -y pip setuptools wheel; fi
COPY --from=builder /opt/nasoa /opt/nasoa
# The root file system can be read-only: only /tmp and /cache are written to.
ENV PATH=/opt/nasoa/bin:$PATH \
    HOME=/tmp \
    GOMP_SPINCOUNT=1000 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TORCHVISION_DATA=/cache/torchvision \
    XDG_CACHE_HOME=/cache
WORKDIR /cache
USER 10001:10001
# If the base lacks what the interpreter needs, fail here and not on a cluster.
RUN python -c "import ctypes, ssl, kfp.dsl, nasoa.steps.kfp_steps, torch"
HEALTHCHECK --interval=5m --timeout=60s --start-period=60s CMD ["nasoa", "doctor", "--check"]
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
ARG BASE_IMAGE
LABEL org.opencontainers.image.title="nasoa" \
      org.opencontainers.image.description="Architecture search and fine-tuning, on CPU" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
CMD ["nasoa", "doctor"]
