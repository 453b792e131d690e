# Publish the pipelines and schedules. It can run repeatedly: what exists is kept.
nasoa pipeline upload finetune-task
nasoa pipeline upload finetune-images
nasoa pipeline upload search-generation
nasoa pipeline upload build-zoo
nasoa pipeline upload meta-train
