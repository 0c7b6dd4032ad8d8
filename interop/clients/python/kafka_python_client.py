"""kafka-python driven by the interop runner: producer, assign-based consumer, admin."""

import re
import sys
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

import jobs
import kafka_python_groups
import kafka_python_transactions

BOOTSTRAP = sys.argv[1]
BASE = {"bootstrap_servers": BOOTSTRAP, "client_id": "interop-kafka-python"}


def produce(job):
    """Modes: `acks1`, `acks0`, `idempotent`; otherwise acks=all."""
    producer = KafkaProducer(
        **BASE,
        acks={"acks1": 1, "acks0": 0}.get(job.get("mode"), "all"),
        enable_idempotence=job.get("mode") == "idempotent",
        compression_type=None if job["codec"] == "none" else job["codec"],
        linger_ms=5,
        max_request_size=4000000,
        batch_size=500000,
    )
    futures = [
        producer.send(
            job["topic"],
            partition=job["partition"],
            key=jobs.unpack(r["key"]),
            value=jobs.unpack(r["value"]),
            headers=[(h["name"], jobs.unpack(h["value"])) for h in r["headers"]],
            timestamp_ms=r["timestamp"],
        )
        for r in job["records"]
    ]
    producer.flush(20)
    offsets = [future.get(20).offset for future in futures]
    producer.close(5)
    return {"offsets": offsets}


consumers = {}


def consumer_for(job):
    """Modes: `read_committed`, `tiny` (fetches of one byte). One consumer each; no group is joined."""
    mode = job.get("mode") or "plain"
    if mode not in consumers:
        options = {"fetch_max_bytes": 1, "max_partition_fetch_bytes": 1} if mode == "tiny" else {}
        consumers[mode] = KafkaConsumer(
            **BASE,
            **options,
            group_id=None,
            auto_offset_reset="none",
            fetch_max_wait_ms=50,
            isolation_level="read_committed" if mode == "read_committed" else "read_uncommitted",
        )
    return consumers[mode]


def consume(job):
    consumer = consumer_for(job)
    partition = TopicPartition(job["topic"], job["partition"])
    consumer.assign([partition])
    if job["offset"] == -2:
        consumer.seek_to_beginning(partition)
    elif job["offset"] == -1:
        consumer.seek_to_end(partition)
    else:
        consumer.seek(partition, job["offset"])
    deadline = time.monotonic() + job["timeoutMs"] / 1000
    records = []
    while len(records) < job["count"]:
        if time.monotonic() > deadline:
            raise jobs.Failure(f"{len(records)} of {job['count']} records came in {job['timeoutMs']} ms")
        for messages in consumer.poll(100, max_records=job["count"] - len(records)).values():
            for m in messages:
                records.append(jobs.record(m.offset, m.timestamp, m.key, m.value, m.headers))
    return {"records": records}


connected = None


def admin():
    global connected
    connected = connected or KafkaAdminClient(**BASE)
    return connected


def topic_resource(job, configs=None):
    return ConfigResource(ConfigResourceType.TOPIC, job["topic"], configs)


def create_topic(job):
    options = {"num_partitions": job["partitions"], "replication_factor": 1, "configs": job.get("set") or {}}
    admin().create_topics({job["topic"]: options})


def describe_topic(job):
    (topic,) = admin().describe_topics([job["topic"]])
    return len(topic["partitions"])


def offsets(job):
    partition = TopicPartition(job["topic"], job["partition"])
    return admin().list_partition_offsets({partition: job["at"]})[partition].offset


def describe_configs(job):
    described = admin().describe_configs([topic_resource(job)], config_filter="all")
    (configs,) = described["topic"].values()
    return {name: entry["value"] for name, entry in configs.items()}


def alter_configs(job):
    changes = {name: ("SET", value) for name, value in (job.get("set") or {}).items()}
    changes.update({name: ("DELETE", None) for name in job.get("remove") or []})
    # The answer is a text for each resource: "OK" or "[Error 40] …".
    outcome = admin().alter_configs([topic_resource(job, changes)])["topic"][job["topic"]]
    if outcome != "OK":
        code = re.match(r"\[Error (\d+)\]", outcome)
        raise jobs.Failure(outcome, int(code[1]) if code else None)


def delete_records(job):
    partition = TopicPartition(job["topic"], job["partition"])
    answer = admin().delete_records({partition: job["offset"]})[partition]
    return answer["low_watermark"] if isinstance(answer, dict) else answer.low_watermark


def log_dirs(job):
    size = 0
    for broker in admin().describe_log_dirs([job["topic"]]):
        for directory in broker["log_dirs"]:
            for topic in directory["topics"]:
                if topic["name"] == job["topic"]:
                    size += sum(partition["partition_size"] for partition in topic["partitions"])
    return size


def describe_cluster(_):
    cluster = admin().describe_cluster()
    return {"brokers": len(cluster["brokers"]), "controller": cluster["controller_id"]}


def describe_producers(job):
    partition = TopicPartition(job["topic"], job["partition"])
    return len(admin().describe_producers([partition])[partition].active_producers)


def code_of(error):
    code = getattr(error, "errno", getattr(error, "code", None))
    return code if isinstance(code, int) else None


jobs.serve(
    {
        **kafka_python_groups.handlers(BASE),
        **kafka_python_transactions.handlers(BASE),
        "produce": produce,
        "consume": consume,
        "createTopic": create_topic,
        "listTopics": lambda job: admin().list_topics(),
        "describeTopic": describe_topic,
        "createPartitions": lambda job: admin().create_partitions({job["topic"]: job["partitions"]}) and None,
        "offsets": offsets,
        "describeConfigs": describe_configs,
        "alterConfigs": alter_configs,
        "deleteRecords": delete_records,
        "describeCluster": describe_cluster,
        "describeProducers": describe_producers,
        "logDirs": log_dirs,
        "deleteTopic": lambda job: admin().delete_topics([job["topic"]]) and None,
    },
    code_of,
)
