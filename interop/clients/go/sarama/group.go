package main

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"millrace/interop/jobs"
)

var strategies = map[string]func() sarama.BalanceStrategy{
	"range": sarama.NewBalanceStrategyRange, "roundrobin": sarama.NewBalanceStrategyRoundRobin,
	"sticky": sarama.NewBalanceStrategySticky, "cooperative-sticky": sarama.NewBalanceStrategyCooperativeSticky,
}

func groupConfig(job jobs.Job) *sarama.Config {
	c := config()
	c.ClientID = "interop-sarama-member"
	c.Metadata.RefreshFrequency = time.Second
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Consumer.Offsets.AutoCommit.Enable = job.AutoCommit
	c.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	c.Consumer.Group.Session.Timeout = time.Duration(job.SessionTimeoutMs) * time.Millisecond
	c.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	c.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[job.Assignor]()}
	if job.InstanceID != nil {
		c.Consumer.Group.InstanceId = *job.InstanceID
	}
	return c
}

// member is the one group member of this process. It holds a partition while ConsumeClaim runs for it.
type member struct {
	jobs.Membership
	group      sarama.ConsumerGroup
	topic      string
	autoCommit bool
	cancel     context.CancelFunc
	ended      chan struct{}

	mutex   sync.Mutex
	session sarama.ConsumerGroupSession
}

var joined *member

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.session = session
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	m.Assign([]int32{claim.Partition()})
	defer m.Revoke([]int32{claim.Partition()})
	for message := range claim.Messages() {
		m.Read(message.Partition, message.Offset, message.Value)
		if m.autoCommit {
			session.MarkMessage(message, "")
		}
	}
	return nil
}

func join(job jobs.Job) (any, error) {
	group, err := sarama.NewConsumerGroup(bootstrap, job.Group, groupConfig(job))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{group: group, topic: job.Topic, autoCommit: job.AutoCommit, cancel: cancel, ended: make(chan struct{})}
	go func() {
		for range group.Errors() {
		}
	}()
	go func() {
		defer close(m.ended)
		for ctx.Err() == nil {
			_ = group.Consume(ctx, []string{job.Topic}, m)
		}
	}()
	joined = m
	return nil, nil
}

func poll(job jobs.Job) (any, error) {
	time.Sleep(time.Duration(job.TimeoutMs) * time.Millisecond)
	return joined.Report(), nil
}

// commitGroup: `sync` marks and commits all positions; `partition` one partition after the other, with metadata.
func commitGroup(job jobs.Job) (any, error) {
	joined.mutex.Lock()
	session := joined.session
	joined.mutex.Unlock()
	for partition, offset := range joined.Positions() {
		session.MarkOffset(job.Topic, partition, offset, job.Metadata)
		if job.Style == "partition" {
			session.Commit()
		}
	}
	session.Commit()
	return nil, nil
}

func leave(jobs.Job) (any, error) {
	joined.cancel()
	<-joined.ended
	return nil, joined.group.Close()
}

var groupHandlers = jobs.Handlers{"join": join, "poll": poll, "commit": commitGroup, "leave": leave}
