"""Compare pretrained weights as users use them: linear heads, full fine-tunes, and time limits.

    python -m benchmarks.transfer run --data FOLDER [--weights build/taught] --shard 0 2
    python -m benchmarks.transfer run --data FOLDER [--weights build/taught] --shard 1 2
    python -m benchmarks.transfer run --data FOLDER [--weights build/taught] --kinds limit
    python -m benchmarks.transfer steps [--weights build/taught]
    python -m benchmarks.transfer report [--weights build/taught]

Each network of the package, and each in the folders of `--weights` (written by `export` or by
`scripts/pretrain_starter.py --output`), is fine-tuned on the meta-training data sets and on the
five test tasks of `benchmarks.starter`:

- linear: a head alone, fitted to all training images, at 64 and 96 px;
- full: all layers, ten epochs of at most 1,000 training images at 64 and 96 px, from the fitted
  head, with the better of two learning rates in validation;
- limit: `nasoa finetune --model NAME` in 15, 45 and 120 s, as a user runs it, on six of the
  meta-training sets (`plan.LIMIT_SETS`).

`run` adds a line for each and skips lines that exist, so it can be killed and run again. Start one
process for each core with `--shard I K`: each uses one thread and writes its own file,
`benchmarks/results/transfer.I.jsonl`. `--kinds limit` and `steps` measure time: they run in one
process, on a machine without other work. A line names its weights by their digest, so other weights
are new lines. `report` writes `benchmarks/results/transfer.json`, and `docs/transfer.md` with its
plots: training step time against transfer accuracy at 64 and 96 px (Figure 4 of the paper). Weights
from a folder are compared with those of the same name in the package, and networks whose name the
package lacks with its front at the same step time; `scripts.ship_weights` asks for this evidence.
`export` writes the networks of a zoo in a store into a folder for `--weights`.
"""
