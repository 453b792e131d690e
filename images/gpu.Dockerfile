# nasoa for GPU nodes. Built from the root of the checkout; images/README.md tells about arguments.
# The wheels of PyTorch bring cuBLAS, cuDNN and NCCL, so the smallest CUDA runtime is enough. It has no
# Python 3.11, so the interpreter comes from an image that has one in /usr/local.
ARG BASE_IMAGE=nvidia/cuda:13.0.0-base-ubuntu24.04
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS builder
# An index of one's own, or none at all where images/wheelhouse holds everything.
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
COPY constraints/build.txt constraints/gpu.txt constraints/
# Without build isolation, so that what builds is pinned with a hash too. Tests, headers and compilers
# of dependencies are of no use here and 300 MB large; they go in the same step, since every step
# copies what it leaves. Bytecode is of use: each step of a pipeline starts a process, and cannot keep
# what it compiles. Some files are for a later Python and do not compile, which pip passes over as well.
RUN python3 -m venv /opt/nasoa \
    && pip install --require-hashes -r constraints/build.txt \
    && pip install --require-hashes --no-build-isolation --no-compile -r constraints/gpu.txt \
    && find /opt/nasoa -type d \( -name tests -o -path '*/torch/test' -o -path '*/torch/include' \) \
        -prune -exec rm -rf {} + \
    && find /opt/nasoa/lib/*/site-packages/torch/bin -type f ! -name torch_shm_manager -delete \
    && { python -m compileall -qq -j 0 /opt/nasoa/lib || true; }
COPY pyproject.toml README.md LICENSE ./
COPY nasoa/ nasoa/
COPY components/ components/
COPY pipelines/ pipelines/
# All that is required is there; but the lock for CPU leaves torchvision out (scripts/lock_images.py).
RUN pip install --no-deps --no-build-isolation --compile . \
    && { pip check || true; } | { ! grep -v -e '^No broken' -e ' requires torchvision, which is not'; } \
    && pip uninstall -y pip
# The interpreter leaves without what installs and builds.
RUN if /usr/local/bin/python3 -m pip --version; then \
        /usr/local/bin/python3 -m pip uninstall -y pip setuptools wheel; \
    fi

FROM ${BASE_IMAGE}
# A number, so that Kubernetes can tell that it is not root. The name is for what asks for one.
RUN echo "nasoa:x:10001:10001::/tmp:/usr/sbin/nologin" >> /etc/passwd \
    && echo "nasoa:x:10001:" >> /etc/group \
    && mkdir -m 1777 /cache
# What the interpreter's modules ssl, ctypes, sqlite3, bz2, lzma and uuid are linked to.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libbz2-1.0 libffi8 liblzma5 libsqlite3-0 libssl3 libuuid1 zlib1g \
    && rm -rf /var/lib/apt/lists/*
COPY --from=builder /usr/local /usr/local
COPY --from=builder /opt/nasoa /opt/nasoa
RUN ldconfig
# The root file system may be read-only: only /tmp and /cache are written to.
ENV PATH=/opt/nasoa/bin:$PATH \
    HOME=/tmp \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    NVIDIA_VISIBLE_DEVICES=all \
    OMP_WAIT_POLICY=PASSIVE \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TORCHVISION_DATA=/cache/torchvision \
    XDG_CACHE_HOME=/cache
WORKDIR /cache
USER 10001:10001
# A base without what the interpreter needs fails here and not on a cluster.
RUN python -c "import ctypes, ssl, kfp.dsl, nasoa.steps.kfp_steps, torch"
HEALTHCHECK --interval=5m --timeout=60s --start-period=60s CMD ["nasoa", "doctor", "--check"]
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
ARG BASE_IMAGE
LABEL org.opencontainers.image.title="nasoa" \
      org.opencontainers.image.description="Architecture search and fine-tuning, on GPU" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
CMD ["nasoa", "doctor"]
