"""confluent-kafka as a member of a consumer group: one member a process."""

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

import jobs


def settings(base, job):
    options = {
        **base,
        "group.id": job["group"],
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 100,
        "topic.metadata.refresh.interval.ms": 1000,
        "enable.auto.commit": job["autoCommit"],
        "auto.commit.interval.ms": 200,
        "isolation.level": "read_committed",
    }
    if job["instanceId"] is not None:
        options["group.instance.id"] = job["instanceId"]
    if job["protocol"] == "consumer":
        options.update({"group.protocol": "consumer", "group.remote.assignor": job["assignor"]})
    else:
        options.update(
            {
                "partition.assignment.strategy": job["assignor"],
                "session.timeout.ms": job["sessionTimeoutMs"],
                "heartbeat.interval.ms": 300,
            }
        )
    return options


class Member:
    def __init__(self, base, job):
        self.commit_outcomes = []
        options = settings(base, job)
        options["on_commit"] = lambda error, partitions: self.commit_outcomes.append(error)
        self.consumer = Consumer(options)
        self.rebalances = 0
        self.revoked = 0
        self.positions = {}
        self.unreported = []
        topic = f"^{job['topic'][:-1]}[^.]$" if job.get("pattern") else job["topic"]
        self.consumer.subscribe([topic], on_assign=self.on_assign, on_revoke=self.on_revoke)

    def on_assign(self, _, partitions):
        self.rebalances += 1

    def on_revoke(self, _, partitions):
        self.revoked += len(partitions)
        for partition in partitions:
            self.positions.pop(partition.partition, None)

    def collect(self, seconds):
        for message in self.consumer.consume(1000, timeout=seconds):
            if message.error():
                raise KafkaException(message.error())
            self.unreported.append([message.partition(), message.offset(), message.value().decode()])
            self.positions[message.partition()] = message.offset() + 1

    def poll(self, job):
        self.collect(job["timeoutMs"] / 1000)
        records, self.unreported = self.unreported, []
        return {
            "assigned": [one.partition for one in self.consumer.assignment()],
            "rebalances": self.rebalances,
            "revoked": self.revoked,
            "records": records,
        }

    def commit(self, job):
        """`sync` and `async`: all positions; `partition`: one commit for each partition, with metadata."""
        if not self.positions:
            return
        if job["style"] == "sync":
            self.consumer.commit(asynchronous=False)
        elif job["style"] == "async":
            before = len(self.commit_outcomes)
            self.consumer.commit(asynchronous=True)
            deadline = time.monotonic() + 10
            while len(self.commit_outcomes) == before:
                if time.monotonic() > deadline:
                    raise jobs.Failure("an asynchronous commit was not answered in 10 s")
                self.collect(0.01)
            if self.commit_outcomes[-1] is not None:
                raise KafkaException(self.commit_outcomes[-1])
        else:
            for partition, offset in self.positions.items():
                position = TopicPartition(job["topic"], partition, offset, metadata=job["metadata"])
                self.consumer.commit(offsets=[position], asynchronous=False)


def handlers(base):
    joined = []
    return {
        "join": lambda job: joined.append(Member(base, job)),
        "poll": lambda job: joined[-1].poll(job),
        "commit": lambda job: joined[-1].commit(job),
        "leave": lambda job: joined.pop().consumer.close(),
    }
