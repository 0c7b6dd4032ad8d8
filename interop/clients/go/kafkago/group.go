package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"millrace/interop/jobs"
)

var balancers = map[string]kafka.GroupBalancer{"range": kafka.RangeGroupBalancer{}, "roundrobin": kafka.RoundRobinGroupBalancer{}}

// member is the one group member of this process. A Reader does not tell its partitions: the group's description does.
type member struct {
	jobs.Membership
	reader   *kafka.Reader
	clientID string
	group    string
	topic    string
	cancel   context.CancelFunc

	mutex sync.Mutex
	last  map[int]kafka.Message
}

var joined *member

func join(job jobs.Job) (any, error) {
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{group: job.Group, topic: job.Topic, cancel: cancel, last: map[int]kafka.Message{}}
	m.clientID = fmt.Sprintf("interop-kafka-go-%d", rand.Int64())
	options := kafka.ReaderConfig{
		Brokers: []string{bootstrap}, GroupID: job.Group, Topic: job.Topic, MinBytes: 1, MaxBytes: 10 << 20,
		Dialer:            &kafka.Dialer{ClientID: m.clientID, Timeout: 10 * time.Second, DualStack: true},
		GroupBalancers:    []kafka.GroupBalancer{balancers[job.Assignor]},
		MaxWait:           100 * time.Millisecond,
		ReadBackoffMin:    10 * time.Millisecond,
		ReadBackoffMax:    100 * time.Millisecond,
		HeartbeatInterval: 300 * time.Millisecond,
		SessionTimeout:    time.Duration(job.SessionTimeoutMs) * time.Millisecond,
		RebalanceTimeout:  10 * time.Second,
		JoinGroupBackoff:  100 * time.Millisecond,
		StartOffset:       kafka.FirstOffset,
		IsolationLevel:    kafka.ReadCommitted,
	}
	if job.AutoCommit {
		options.CommitInterval = 200 * time.Millisecond
	}
	m.reader = kafka.NewReader(options)
	go m.run(ctx, job.AutoCommit)
	joined = m
	return nil, nil
}

func (m *member) run(ctx context.Context, autoCommit bool) {
	for {
		message, err := m.reader.FetchMessage(ctx)
		if err != nil {
			return
		}
		m.Read(int32(message.Partition), message.Offset, message.Value)
		m.mutex.Lock()
		m.last[message.Partition] = message
		m.mutex.Unlock()
		if autoCommit {
			_ = m.reader.CommitMessages(ctx, message)
		}
	}
}

func (m *member) assigned() ([]int32, error) {
	answer, err := client.DescribeGroups(context.Background(), &kafka.DescribeGroupsRequest{GroupIDs: []string{m.group}})
	if err != nil {
		return nil, err
	}
	partitions := []int32{}
	if answer.Groups[0].GroupState != "Stable" {
		return partitions, nil
	}
	for _, one := range answer.Groups[0].Members {
		if one.ClientID != m.clientID {
			continue
		}
		for _, topic := range one.MemberAssignments.Topics {
			for _, partition := range topic.Partitions {
				partitions = append(partitions, int32(partition))
			}
		}
	}
	return partitions, nil
}

func poll(job jobs.Job) (any, error) {
	time.Sleep(time.Duration(job.TimeoutMs) * time.Millisecond)
	assigned, err := joined.assigned()
	if err != nil {
		return nil, err
	}
	report := joined.Report()
	report.Assigned, report.Rebalances, report.Revoked = assigned, nil, nil
	return report, nil
}

// commitGroup: `sync` commits the last message of every partition at once; `partition` one after the other.
func commitGroup(job jobs.Job) (any, error) {
	assigned, err := joined.assigned()
	if err != nil {
		return nil, err
	}
	joined.mutex.Lock()
	defer joined.mutex.Unlock()
	messages := []kafka.Message{}
	for partition, message := range joined.last {
		if slices.Contains(assigned, int32(partition)) {
			messages = append(messages, message)
		}
	}
	ctx, cancel := within(10000)
	defer cancel()
	if job.Style == "sync" {
		return nil, joined.reader.CommitMessages(ctx, messages...)
	}
	for _, message := range messages {
		if err := joined.reader.CommitMessages(ctx, message); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func leave(jobs.Job) (any, error) {
	defer joined.cancel()
	return nil, joined.reader.Close()
}

var groupHandlers = jobs.Handlers{"join": join, "poll": poll, "commit": commitGroup, "leave": leave}
