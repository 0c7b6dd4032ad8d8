"""kafka-python's transactional producers by name, and its consume-transform-produce loop."""

import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

import jobs
import kafka_python_groups

producers = {}


def open_producer(base, job):
    producer = KafkaProducer(**base, transactional_id=job["transactionalId"], transaction_timeout_ms=job["timeoutMs"], linger_ms=1)
    producer.init_transactions()
    return producer


def send(job):
    producer = producers[job["name"]]
    futures = [producer.send(job["topic"], partition=partition, value=value.encode()) for partition, value in job["pairs"]]
    producer.flush(20)
    return [future.get(20).offset for future in futures]


def end(job):
    producer = producers[job["name"]]
    producer.commit_transaction() if job["commit"] else producer.abort_transaction()


def rewind(consumer):
    for partition in consumer.assignment():
        offset = consumer.committed(partition)
        if offset is None:
            consumer.seek_to_beginning(partition)
        else:
            consumer.seek(partition, offset)


def copy(base, job):
    """Copies, partition by partition, until nothing came for `idleMs`, at first `patienceMs` more; every `abortEvery`th transaction is aborted and done again."""
    producer = open_producer(base, job)
    consumer = KafkaConsumer(job["from"], **kafka_python_groups.settings(base, job))
    done = {"committed": 0, "aborted": 0}
    last = time.monotonic() + job["patienceMs"] / 1000
    while time.monotonic() - last < job["idleMs"] / 1000:
        polled = consumer.poll(100, max_records=job["batch"])
        if not polled:
            continue
        last = time.monotonic()
        producer.begin_transaction()
        try:
            offsets = {}
            for partition, messages in polled.items():
                for message in messages:
                    producer.send(job["to"], partition=message.partition, value=message.value)
                offsets[partition] = OffsetAndMetadata(messages[-1].offset + 1, "", -1)
            producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
            if job["abortEvery"] and sum(done.values()) % job["abortEvery"] == job["abortEvery"] - 1:
                raise jobs.Failure("aborted on purpose")
            producer.commit_transaction()
            done["committed"] += 1
        except (KafkaError, jobs.Failure):
            producer.abort_transaction()
            done["aborted"] += 1
            rewind(consumer)
    consumer.close()
    producer.close(5)
    return done


def handlers(base):
    return {
        "txnOpen": lambda job: producers.update({job["name"]: open_producer(base, job)}),
        "txnBegin": lambda job: producers[job["name"]].begin_transaction(),
        "txnSend": send,
        "txnEnd": end,
        "txnClose": lambda job: producers.pop(job["name"]).close(2),
        "txnCopy": lambda job: copy(base, job),
    }
