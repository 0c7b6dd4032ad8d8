"""confluent-kafka's transactional producers by name, and its consume-transform-produce loop."""

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

import confluent_groups
import jobs

producers = {}


def open_producer(base, job):
    options = {"transactional.id": job["transactionalId"], "transaction.timeout.ms": job["timeoutMs"], "linger.ms": 1}
    producer = Producer({**base, **options})
    producer.init_transactions(20)
    return producer


def send(job):
    producer = producers[job["name"]]
    offsets = [None] * len(job["pairs"])

    def report(index):
        def delivered(error, message):
            offsets[index] = KafkaException(error) if error else message.offset()

        return delivered

    for index, (partition, value) in enumerate(job["pairs"]):
        producer.produce(job["topic"], partition=partition, value=value, on_delivery=report(index))
    producer.flush(20)
    for outcome in offsets:
        if isinstance(outcome, KafkaException):
            raise outcome
    return offsets


def end(job):
    producer = producers[job["name"]]
    producer.commit_transaction(20) if job["commit"] else producer.abort_transaction(20)


def rewind(consumer):
    for position in consumer.committed(consumer.assignment(), timeout=10):
        offset = position.offset if position.offset >= 0 else OFFSET_BEGINNING
        consumer.seek(TopicPartition(position.topic, position.partition, offset))


def copy(base, job):
    """Copies, partition by partition, until nothing came for `idleMs`, at first `patienceMs` more; every `abortEvery`th transaction is aborted and done again."""
    producer = open_producer(base, job)
    consumer = Consumer(confluent_groups.settings(base, job))
    consumer.subscribe([job["from"]])
    done = {"committed": 0, "aborted": 0}
    last = time.monotonic() + job["patienceMs"] / 1000
    while time.monotonic() - last < job["idleMs"] / 1000:
        messages = [message for message in consumer.consume(job["batch"], timeout=0.1) if message.error() is None]
        if not messages:
            continue
        last = time.monotonic()
        producer.begin_transaction()
        try:
            positions = {}
            for message in messages:
                producer.produce(job["to"], partition=message.partition(), value=message.value())
                positions[message.partition()] = message.offset() + 1
            offsets = [TopicPartition(job["from"], partition, offset) for partition, offset in positions.items()]
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 20)
            if job["abortEvery"] and sum(done.values()) % job["abortEvery"] == job["abortEvery"] - 1:
                raise jobs.Failure("aborted on purpose")
            producer.commit_transaction(20)
            done["committed"] += 1
        except (KafkaException, jobs.Failure) as error:
            if isinstance(error, KafkaException) and error.args[0].fatal():
                raise
            producer.abort_transaction(20)
            done["aborted"] += 1
            rewind(consumer)
    consumer.close()
    return done


def handlers(base):
    return {
        "txnOpen": lambda job: producers.update({job["name"]: open_producer(base, job)}),
        "txnBegin": lambda job: producers[job["name"]].begin_transaction(),
        "txnSend": send,
        "txnEnd": end,
        "txnClose": lambda job: producers.pop(job["name"]) and None,
        "txnCopy": lambda job: copy(base, job),
    }
