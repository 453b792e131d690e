"""Compare one-shot choice with tuning on the step clock: the paper's Tables 4, 5 and Figure 6.

    python -m benchmarks.final DATA ... --limits t1 --multiples 1 4 --seeds 0 1 2

All methods fine-tune the same splits by the same program, inside a limit on the step clock: a step
counts as long as it takes on the idle reference machine, so that a result does not depend on the
machine or its other load. All of a fine-tune counts, from its first features to its test. Searches
decide by validation accuracies; the test accuracy of what they end with is compared. Each method
runs once per data set, limit and seed:

- nasoa: `nasoa finetune`, one shot; paper: the same with `--method paper`;
- zoo: nasoa chooses the model, hyperparameters are the defaults (`defaults.py`);
- average: the one configuration that is best on average over the data sets that the package's
  predictor has learned;
- series:NAME: nasoa's choice among the models of one series only (the online choice of Table 5),
  and series:peers among all but ET-NAS;
- default:MODEL: each model at default hyperparameters; the summary takes the best of each series;
- random, bohb and tpe: random search, BOHB (Syne Tune's) and TPE with Hyperband (Optuna's), each
  for several times the limit, over hyperparameters only (with the model that was best at its
  defaults), over models as well, or over models that are not of ET-NAS.

Limits `t0` to `t3` of a data set are spaced in log scale (`budget.py`); a number is in seconds.
Each fine-tune is appended to the file given by `--runs` as soon as it is finished and is not
repeated: a search that was killed goes on with its next fine-tune. Rows of other files of `--runs`
are read too, so that two processes can share the work by data set or seed. After a change of a
model or the predictor, what depends on it is run again.

BOHB and TPE need `pip install nasoa[benchmarks]`.
"""
