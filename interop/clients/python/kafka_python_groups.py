"""kafka-python as a member of a consumer group: one member a process."""

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.structs import OffsetAndMetadata

ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "cooperative-sticky": CooperativeStickyAssignor,
}


def settings(base, job):
    return {
        **base,
        "group_id": job["group"],
        "group_instance_id": job["instanceId"],
        "auto_offset_reset": "earliest",
        "fetch_max_wait_ms": 100,
        "metadata_max_age_ms": 1000,
        "enable_auto_commit": job["autoCommit"],
        "auto_commit_interval_ms": 200,
        "isolation_level": "read_committed",
        "partition_assignment_strategy": [ASSIGNORS[job["assignor"]]],
        "session_timeout_ms": job["sessionTimeoutMs"],
        "heartbeat_interval_ms": 300,
    }


class Member(ConsumerRebalanceListener):
    def __init__(self, base, job):
        self.consumer = KafkaConsumer(**settings(base, job))
        self.rebalances = 0
        self.revoked = 0
        self.positions = {}
        self.unreported = []
        self.consumer.subscribe([job["topic"]], listener=self)

    def on_partitions_assigned(self, assigned):
        self.rebalances += 1

    def on_partitions_revoked(self, revoked):
        self.revoked += len(revoked)
        for partition in revoked:
            self.positions.pop(partition.partition, None)

    def collect(self, timeout_ms):
        for messages in self.consumer.poll(timeout_ms).values():
            for message in messages:
                self.unreported.append([message.partition, message.offset, message.value.decode()])
                self.positions[message.partition] = message.offset + 1

    def poll(self, job):
        # A poll that times out between a JoinGroup and the end of its SyncGroup loses the assignment for good.
        self.collect(max(job["timeoutMs"], 600))
        records, self.unreported = self.unreported, []
        return {
            "assigned": [one.partition for one in self.consumer.assignment()],
            "rebalances": self.rebalances,
            "revoked": self.revoked,
            "records": records,
        }

    def commit(self, job):
        """`sync` and `async`: all positions; `partition`: one commit for each partition, with metadata."""
        if job["style"] == "sync":
            self.consumer.commit(timeout_ms=10000)
        elif job["style"] == "async":
            future = self.consumer.commit_async()
            while not future.is_done:
                self.collect(10)
            if future.failed():
                raise future.exception
        else:
            for partition, offset in self.positions.items():
                position = OffsetAndMetadata(offset, job["metadata"], -1)
                self.consumer.commit({TopicPartition(job["topic"], partition): position}, timeout_ms=10000)


def handlers(base):
    joined = []
    return {
        "join": lambda job: joined.append(Member(base, job)),
        "poll": lambda job: joined[-1].poll(job),
        "commit": lambda job: joined[-1].commit(job),
        "leave": lambda job: joined.pop().consumer.close(),
    }
