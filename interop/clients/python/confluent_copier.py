"""librdkafka copying one topic into another in transactions, as a static member of a group, until it is ended. One JSON line a transaction.

With --careless it does without transactions: offsets are committed when the records are written. Whoever is killed in between copies twice.
"""

import argparse
import faulthandler
import json
import os
import random
import sys
import time
import traceback
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

parser = argparse.ArgumentParser()
for name in ("bootstrap", "input", "output", "group", "transactional-id"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--transaction-size", type=int, default=200)
parser.add_argument("--transaction-timeout", type=int, default=15000)
parser.add_argument("--abort-one-in", type=int, default=8)
parser.add_argument("--pause", type=int, default=50, help="ms between transactions")
parser.add_argument("--group-protocol", choices=["classic", "consumer"], default="classic")
parser.add_argument("--careless", action="store_true")
options = parser.parse_args()

TIMEOUT = 30
# A call that takes longer is one of a client that will not recover.
STUCK = 45
base = {
    "bootstrap.servers": options.bootstrap,
    "broker.address.family": "v4",
    "reconnect.backoff.max.ms": 500,
    # The default, `rebootstrap`, forgets the only broker while it is down, and sends offsets to what it has forgotten ever after.
    "metadata.recovery.strategy": "none",
    "log_level": 3,
}
membership = {
    "classic": {"partition.assignment.strategy": "range", "session.timeout.ms": 6000, "heartbeat.interval.ms": 1000},
    "consumer": {"group.protocol": "consumer", "group.remote.assignor": "range"},
}
consumer = Consumer(
    {
        **base,
        **membership[options.group_protocol],
        "group.id": options.group,
        "group.instance.id": options.transactional_id,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        # Little of each partition at a time, so that transactions lie over several.
        "fetch.message.max.bytes": 1024,
    }
)
transactional = {"transactional.id": options.transactional_id, "transaction.timeout.ms": options.transaction_timeout}
producer = Producer({**base, **({"enable.idempotence": True} if options.careless else transactional)})

rebalanced = False


def note_rebalance(_consumer, _partitions):
    global rebalanced
    rebalanced = True


def go_back():
    """To what is committed: records read and not copied are read again."""
    committed = consumer.committed(consumer.assignment(), TIMEOUT)
    places = [TopicPartition(p.topic, p.partition, p.offset if p.offset >= 0 else OFFSET_BEGINNING) for p in committed]
    if options.group_protocol == "classic":
        consumer.assign(places)
    else:
        # Only the coordinator assigns. A partition that cannot be sought yet ends the program.
        for place in places:
            consumer.seek(place)


def again(step, *arguments):
    """librdkafka says which of its calls are to be made again as they are."""
    while True:
        try:
            return step(*arguments)
        except KafkaException as error:
            if not error.args[0].retriable():
                raise


def write(messages):
    mark = [("transaction", f"{options.transactional_id}-{uuid.uuid4()}")]
    for message in messages:
        producer.produce(options.output, message.value(), message.key(), partition=message.partition(), headers=mark)


def next_offsets(messages):
    ends = {}
    for message in messages:
        ends[message.partition()] = max(message.offset() + 1, ends.get(message.partition(), 0))
    return [TopicPartition(options.input, partition, offset) for partition, offset in ends.items()]


def copy(messages):
    """Whether it was committed."""
    producer.begin_transaction()
    try:
        write(messages)
        again(producer.send_offsets_to_transaction, next_offsets(messages), consumer.consumer_group_metadata(), TIMEOUT)
        if random.randrange(options.abort_one_in) > 0:
            again(producer.commit_transaction, TIMEOUT)
            return True
    except KafkaException as error:
        if not error.args[0].txn_requires_abort():
            raise
    again(producer.abort_transaction, TIMEOUT)
    go_back()
    return False


def copy_carelessly(messages):
    write(messages)
    if producer.flush(TIMEOUT) > 0:
        raise RuntimeError("records were not delivered")
    consumer.commit(offsets=next_offsets(messages), asynchronous=False)
    return True


def copy_for_ever():
    global rebalanced
    if not options.careless:
        again(producer.init_transactions, TIMEOUT)
    consumer.subscribe([options.input], on_assign=note_rebalance, on_revoke=note_rebalance, on_lost=note_rebalance)
    total = 0
    while True:
        faulthandler.dump_traceback_later(STUCK, exit=True)
        messages = []
        for message in consumer.consume(options.transaction_size, 0.2):
            if message.error() is None:
                messages.append(message)
            elif message.error().fatal():
                raise KafkaException(message.error())
        if rebalanced:
            # What was read under the assignment before may be another member's now.
            rebalanced = False
            if messages:
                go_back()
        elif messages and (copy_carelessly if options.careless else copy)(messages):
            total += len(messages)
            print(json.dumps({"totalProcessed": total}, separators=(",", ":")), flush=True)
        time.sleep(options.pause / 1000)


try:
    copy_for_ever()
except Exception:
    # Not the ordinary way: closing a consumer that has failed can take for ever.
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)
