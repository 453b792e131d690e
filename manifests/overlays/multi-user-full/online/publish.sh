# What is in the profile of users' tasks. It may run as often as you like: what is there already stays.
nasoa pipeline upload finetune-task
nasoa pipeline upload finetune-images
