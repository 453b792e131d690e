# What is at Kubeflow Pipelines. It may run as often as you like: what is there already stays.
nasoa pipeline upload finetune-task
nasoa pipeline upload finetune-images
nasoa pipeline upload search-generation
nasoa pipeline upload build-zoo
nasoa pipeline upload meta-train
