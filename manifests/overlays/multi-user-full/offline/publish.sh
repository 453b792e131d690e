# Publish the pipelines and schedules of searches. It can run repeatedly: what exists is kept.
nasoa pipeline upload build-zoo
nasoa pipeline upload meta-train
nasoa pipeline schedule search-generation --cron "0 * * * *" --as blocks \
    -p data=s3://nasoa/source/imagenet-100 -p search=blocks -p scale=paper \
    -p 'settings={"num_children": 64, "max_step_time_ms": 120, "max_evaluations": 5000}' \
    -p 'gpu_node_selector={"nasoa/pool": "offline"}'
