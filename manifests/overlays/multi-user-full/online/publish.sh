# Publish the pipelines of users' tasks. It can run repeatedly: what exists is kept.
nasoa pipeline upload finetune-task
nasoa pipeline upload finetune-images
