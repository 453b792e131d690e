"""An example of each command, shown at the end of its `--help`."""

from __future__ import annotations

import argparse

EXAMPLES = {
    "nasoa": (
        "nasoa recommend photos --time-limit 60s",
        "nasoa finetune photos --time-limit 60s --out photos-model",
        "nasoa predict photos-model holiday/",
    ),
    "nasoa arch": ("nasoa arch stats '2- 32 2-11-112-1121112'",),
    "nasoa arch stats": ("nasoa arch stats '2- 32 2-11-112-1121112' --resolution 64",),
    "nasoa arch sample": ("nasoa arch sample --space block -n 5 --seed 1",),
    "nasoa zoo": ("nasoa zoo list",),
    "nasoa zoo list": ("nasoa zoo list --json",),
    "nasoa zoo show": ("nasoa zoo show ET-NAS-A",),
    "nasoa zoo add": (
        "nasoa zoo add torchvision:resnet18",
        "nasoa zoo add net.pth --encoding '2- 32 2-11-112-1121112' --accuracy 0.31",
    ),
    "nasoa zoo pull": ("nasoa zoo pull --to s3://bucket/nasoa",),
    "nasoa zoo import": ("nasoa zoo import checkpoints/",),
    "nasoa zoo build": ("nasoa zoo build --search blocks --models 4 --data images.zip",),
    "nasoa zoo profile": ("nasoa zoo profile ET-NAS-A efficientnet-lite0",),
    "nasoa data": ("nasoa data shard images/ -o shards",),
    "nasoa data shard": ("nasoa data shard images/ -o shards --images-per-shard 5000",),
    "nasoa task": ("nasoa task describe photos",),
    "nasoa task describe": ("nasoa task describe photos",),
    "nasoa recommend": ("nasoa recommend photos --time-limit 60s --top 3",),
    "nasoa finetune": (
        "nasoa finetune photos --time-limit 60s --out photos-model",
        "nasoa finetune flowers.zip --time-limit 10m --model ET-NAS-A --model ET-NAS-B",
    ),
    "nasoa predict": (
        "nasoa predict photos-model holiday/",
        "nasoa predict photos-model 'holiday/*.jpg' --format csv -o answers.csv",
        "find . -name '*.jpg' | nasoa predict photos-model - --format jsonl",
    ),
    "nasoa export": ("nasoa export photos-model --format onnx -o photos.onnx --check holiday/",),
    "nasoa serve": ("nasoa serve photos-model --port 8080",),
    "nasoa predictor": ("nasoa predictor show",),
    "nasoa predictor show": ("nasoa predictor show -o predictor.html",),
    "nasoa predictor update": ("nasoa predictor update",),
    "nasoa predictor rollback": ("nasoa predictor rollback 3",),
    "nasoa predictor rebuild": (
        "nasoa predictor rebuild --without 20260102T030405000000-photos-1a2b3c",
    ),
    "nasoa predictor learn": ("nasoa predictor learn known",),
    "nasoa predictor evaluate": (
        "nasoa predictor evaluate runs.csv --target accuracy --group dataset",
    ),
    "nasoa predictor table": ("nasoa predictor table -o runs.parquet",),
    "nasoa search": ("nasoa search run blocks --space block --data images.zip",),
    "nasoa search run": (
        "nasoa search run blocks --space block --data images.zip --max-evaluations 100",
        "nasoa search run networks --space macro --data images.zip --cells-from blocks",
    ),
    "nasoa search show": ("nasoa search show blocks -o blocks.html",),
    "nasoa search analyse": ("nasoa search analyse blocks",),
    "nasoa meta-train": ("nasoa meta-train cars.zip birds.zip --runs 100 -o runs.parquet",),
    "nasoa report": ("nasoa report -o report.html",),
    "nasoa store": ("nasoa store metrics",),
    "nasoa store compact": ("nasoa store compact",),
    "nasoa store metrics": ("nasoa store metrics --port 9100",),
    "nasoa pipeline": ("nasoa pipeline list",),
    "nasoa pipeline list": ("nasoa pipeline list",),
    "nasoa pipeline compile": ("nasoa pipeline compile --all -o compiled",),
    "nasoa pipeline lint": ("nasoa pipeline lint compiled/finetune_task.yaml",),
    "nasoa pipeline run": (
        "nasoa pipeline run finetune-task --local -p data=photos -p time_limit=60s",
        "nasoa pipeline run finetune-task --host https://kfp.example -p data=s3://bucket/photos -p "
        "time_limit=10m --wait",
    ),
    "nasoa pipeline schedule": (
        "nasoa pipeline schedule search-generation --cron '0 3 * * *' --host https://kfp.example",
    ),
    "nasoa pipeline status": (
        "nasoa pipeline status 0b9e3a52-41a7-4bd0-9c47-7a1b3d0f1c55 --host https://kfp.example",
    ),
    "nasoa pipeline list-runs": ("nasoa pipeline list-runs --limit 5 --host https://kfp.example",),
    "nasoa pipeline cancel": (
        "nasoa pipeline cancel 0b9e3a52-41a7-4bd0-9c47-7a1b3d0f1c55 --host https://kfp.example",
    ),
    "nasoa pipeline upload": ("nasoa pipeline upload finetune-task --host https://kfp.example",),
    "nasoa pipeline reconcile": ("nasoa pipeline reconcile --host https://kfp.example",),
    "nasoa doctor": ("nasoa doctor", "nasoa doctor --cluster --host https://kfp.example"),
    "nasoa completion": (
        "nasoa completion bash > ~/.local/share/bash-completion/completions/nasoa",
        "nasoa completion zsh > ~/.zsh/completions/_nasoa",
        "nasoa completion fish > ~/.config/fish/completions/nasoa.fish",
    ),
}


def add_examples(parser: argparse.ArgumentParser) -> None:
    """Add the examples to the help of a parser and of all its verbs."""
    lines = EXAMPLES[parser.prog]
    title = "example:" if len(lines) == 1 else "examples:"
    parser.epilog = "\n".join([title, *(f"  {line}" for line in lines)])
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                add_examples(verb)
