"""confluent-kafka (librdkafka) driven by the interop runner: producer, assign-based consumer, admin."""

import sys
import time

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

import confluent_groups
import confluent_transactions
import jobs

BOOTSTRAP = sys.argv[1]
BASE = {"bootstrap.servers": BOOTSTRAP, "client.id": "interop-confluent-kafka", "broker.address.family": "v4", "log_level": 4}
SPECIAL = {-2: OFFSET_BEGINNING, -1: OFFSET_END}


def produce(job):
    """Modes: `acks1`, `acks0`, `idempotent`; otherwise acks=all."""
    options = {**BASE, "compression.type": job["codec"], "linger.ms": 5, "message.max.bytes": 4000000}
    options["acks"] = {"acks1": 1, "acks0": 0}.get(job.get("mode"), "all")
    if job.get("mode") == "idempotent":
        options["enable.idempotence"] = True
    producer = Producer(options)
    offsets = [None] * len(job["records"])

    def report(index):
        def delivered(error, message):
            offsets[index] = KafkaException(error) if error else message.offset()

        return delivered

    for index, r in enumerate(job["records"]):
        producer.produce(
            job["topic"],
            partition=job["partition"],
            key=jobs.unpack(r["key"]),
            value=jobs.unpack(r["value"]),
            headers=[(h["name"], jobs.unpack(h["value"])) for h in r["headers"]],
            timestamp=r["timestamp"],
            on_delivery=report(index),
        )
    left = producer.flush(20)
    for outcome in offsets:
        if isinstance(outcome, KafkaException):
            raise outcome
    if left:
        raise jobs.Failure(f"{left} records were not delivered in 20 s")
    return {"offsets": offsets}


consumers = {}


def consumer_for(job):
    """Modes: `read_committed`, `tiny` (fetches of one byte). One consumer each; no group is joined."""
    mode = job.get("mode") or "plain"
    if mode not in consumers:
        options = {**BASE, "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error", "fetch.wait.max.ms": 50}
        options["check.crcs"] = True
        options["isolation.level"] = "read_committed" if mode == "read_committed" else "read_uncommitted"
        if mode == "tiny":
            options.update({"fetch.message.max.bytes": 1, "fetch.max.bytes": 4000000})
        consumers[mode] = Consumer(options)
    return consumers[mode]


def consume(job):
    consumer = consumer_for(job)
    # A full answer fills the metadata cache: without it librdkafka looks for a newly assigned topic once a second.
    consumer.list_topics(timeout=10)
    offset = SPECIAL.get(job["offset"], job["offset"])
    consumer.assign([TopicPartition(job["topic"], job["partition"], offset)])
    deadline = time.monotonic() + job["timeoutMs"] / 1000
    records = []
    while len(records) < job["count"]:
        if time.monotonic() > deadline:
            raise jobs.Failure(f"{len(records)} of {job['count']} records came in {job['timeoutMs']} ms")
        for message in consumer.consume(job["count"] - len(records), timeout=0.1):
            if message.error():
                raise KafkaException(message.error())
            records.append(
                jobs.record(message.offset(), message.timestamp()[1], message.key(), message.value(), message.headers() or [])
            )
    consumer.unassign()
    return {"records": records}


admin = AdminClient(BASE)


def only(futures):
    (future,) = futures.values()
    return future.result(20)


def create_topic(job):
    only(admin.create_topics([NewTopic(job["topic"], num_partitions=job["partitions"], config=job.get("set") or {})]))


def describe_topic(job):
    return len(only(admin.describe_topics(TopicCollection([job["topic"]]))).partitions)


def offsets(job):
    spec = {-1: OffsetSpec.latest, -2: OffsetSpec.earliest, -3: OffsetSpec.max_timestamp}.get(job["at"])
    spec = spec() if spec else OffsetSpec.for_timestamp(job["at"])
    return only(admin.list_offsets({TopicPartition(job["topic"], job["partition"]): spec})).offset


def describe_configs(job):
    described = only(admin.describe_configs([ConfigResource(ResourceType.TOPIC, job["topic"])]))
    return {name: entry.value for name, entry in described.items()}


def alter_configs(job):
    changes = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in (job.get("set") or {}).items()
    ] + [ConfigEntry(name, None, incremental_operation=AlterConfigOpType.DELETE) for name in job.get("remove") or []]
    only(admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, job["topic"], incremental_configs=changes)]))


def delete_records(job):
    return only(admin.delete_records([TopicPartition(job["topic"], job["partition"], job["offset"])])).low_watermark


def describe_cluster(_):
    cluster = admin.describe_cluster().result(20)
    return {"brokers": len(cluster.nodes), "controller": cluster.controller.id}


def code_of(error):
    if isinstance(error, KafkaException):
        return error.args[0].code()
    return getattr(error, "code", None)


jobs.serve(
    {
        **confluent_groups.handlers(BASE),
        **confluent_transactions.handlers(BASE),
        "produce": produce,
        "consume": consume,
        "createTopic": create_topic,
        "listTopics": lambda job: list(admin.list_topics(timeout=20).topics),
        "describeTopic": describe_topic,
        "createPartitions": lambda job: only(admin.create_partitions([NewPartitions(job["topic"], job["partitions"])])),
        "offsets": offsets,
        "describeConfigs": describe_configs,
        "alterConfigs": alter_configs,
        "deleteRecords": delete_records,
        "describeCluster": describe_cluster,
        "deleteTopic": lambda job: only(admin.delete_topics([job["topic"]])),
    },
    code_of,
)
