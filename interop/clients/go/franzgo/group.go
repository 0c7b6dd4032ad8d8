package main

import (
	"context"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"millrace/interop/jobs"
)

// member is the one group member of this process.
type member struct {
	jobs.Membership
	client *kgo.Client
	topic  string
	read   []*kgo.Record // since the last commit
}

var joined *member

func groupOptions(job jobs.Job) []kgo.Opt {
	options := []kgo.Opt{
		kgo.SeedBrokers(os.Args[1]),
		kgo.ClientID("interop-franz-go"),
		kgo.ConsumerGroup(job.Group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.MetadataMaxAge(time.Second),
		kgo.HeartbeatInterval(300 * time.Millisecond),
		kgo.SessionTimeout(time.Duration(job.SessionTimeoutMs) * time.Millisecond),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	}
	switch job.Assignor {
	case "range":
		options = append(options, kgo.Balancers(kgo.RangeBalancer()))
	case "roundrobin":
		options = append(options, kgo.Balancers(kgo.RoundRobinBalancer()))
	case "cooperative-sticky":
		options = append(options, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	case "uniform":
		options = append(options, kgo.Balancers(kgo.StickyBalancer()))
	}
	if job.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer())
	}
	if job.InstanceID != nil {
		options = append(options, kgo.InstanceID(*job.InstanceID))
	}
	return options
}

func join(job jobs.Job) (any, error) {
	m := &member{topic: job.Topic}
	options := append(groupOptions(job),
		kgo.ConsumeTopics(job.Topic),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) { m.Assign(assigned[job.Topic]) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, revoked map[string][]int32) { m.Revoke(revoked[job.Topic]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { m.Revoke(lost[job.Topic]) }),
	)
	if job.AutoCommit {
		options = append(options, kgo.AutoCommitInterval(200*time.Millisecond))
	} else {
		options = append(options, kgo.DisableAutoCommit())
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	m.client = client
	joined = m
	return nil, nil
}

func poll(job jobs.Job) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(job.TimeoutMs)*time.Millisecond)
	defer cancel()
	for ctx.Err() == nil {
		joined.client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			joined.Read(r.Partition, r.Offset, r.Value)
			joined.read = append(joined.read, r)
		})
	}
	return joined.Report(), nil
}

// commitGroup: `sync` commits the records read; `async` what the client knows as uncommitted, in the background; `partition` each
// partition's offset by itself, with metadata.
func commitGroup(job jobs.Job) (any, error) {
	ctx := context.Background()
	read := joined.read
	joined.read = nil
	switch job.Style {
	case "sync":
		return nil, joined.client.CommitRecords(ctx, read...)
	case "async":
		outcome := make(chan error, 1)
		go func() { outcome <- joined.client.CommitUncommittedOffsets(ctx) }()
		return nil, <-outcome
	}
	for partition, offset := range joined.Positions() {
		withMetadata := kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
			request.Topics[0].Partitions[0].Metadata = &job.Metadata
			return nil
		})
		record := &kgo.Record{Topic: joined.topic, Partition: partition, Offset: offset - 1, LeaderEpoch: -1}
		if err := joined.client.CommitRecords(withMetadata, record); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func leave(jobs.Job) (any, error) {
	joined.client.Close()
	return nil, nil
}

var groupHandlers = jobs.Handlers{"join": join, "poll": poll, "commit": commitGroup, "leave": leave}
