// franz-go driven by the interop runner: producer (idempotent unless told otherwise), direct partition consumer, kadm.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"millrace/interop/jobs"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(os.Args[1]), kgo.ClientID("interop-franz-go")}, options...)...)
}

func within(ms int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(ms)*time.Millisecond)
}

// produce: mode "plain" turns the producer id off; "acks1" and "acks0" also lower the acks.
func produce(job jobs.Job) (any, error) {
	options := []kgo.Opt{
		kgo.ProducerBatchCompression(codecs[job.Codec]),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5 * time.Millisecond),
	}
	switch job.Mode {
	case "plain":
		options = append(options, kgo.DisableIdempotentWrite())
	case "acks1":
		options = append(options, kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
	case "acks0":
		options = append(options, kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.NoAck()))
	}
	c, err := client(options...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	records := make([]*kgo.Record, 0, len(job.Records))
	for _, r := range job.Records {
		record := &kgo.Record{Topic: job.Topic, Partition: job.Partition, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp)}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
		}
		records = append(records, record)
	}
	ctx, cancel := within(20000)
	defer cancel()
	if err := c.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, err
	}
	result := jobs.Offsets{}
	for _, r := range records {
		result.Offsets = append(result.Offsets, r.Offset)
	}
	return result, nil
}

// consume: mode "read_committed" sets the isolation level; "tiny" asks for one byte at a time.
func consume(job jobs.Job) (any, error) {
	from := kgo.NewOffset().At(job.Offset)
	if job.Offset == -2 {
		from = kgo.NewOffset().AtStart()
	} else if job.Offset == -1 {
		from = kgo.NewOffset().AtEnd()
	}
	options := []kgo.Opt{
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{job.Topic: {job.Partition: from}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	}
	switch job.Mode {
	case "read_committed":
		options = append(options, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	case "tiny":
		options = append(options, kgo.FetchMaxBytes(1), kgo.FetchMaxPartitionBytes(1))
	}
	c, err := client(options...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := within(job.TimeoutMs)
	defer cancel()
	result := jobs.Records{Records: []jobs.Record{}}
	for len(result.Records) < job.Count {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%d of %d records came in %d ms", len(result.Records), job.Count, job.TimeoutMs)
		}
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(m *kgo.Record) {
			r := jobs.Record{Offset: m.Offset, Timestamp: m.Timestamp.UnixMilli(), Key: m.Key, Value: m.Value, Headers: []jobs.Header{}}
			for _, h := range m.Headers {
				r.Headers = append(r.Headers, jobs.Header{Name: h.Key, Value: h.Value})
			}
			result.Records = append(result.Records, r)
		})
	}
	result.Records = result.Records[:job.Count]
	return result, nil
}

var admin *kadm.Client

func withAdmin(use func(context.Context, jobs.Job) (any, error)) func(jobs.Job) (any, error) {
	return func(job jobs.Job) (any, error) {
		if admin == nil {
			c, err := client(kgo.MetadataMinAge(20 * time.Millisecond))
			if err != nil {
				return nil, err
			}
			admin = kadm.NewClient(c)
		}
		ctx, cancel := within(20000)
		defer cancel()
		return use(ctx, job)
	}
}

func createTopic(ctx context.Context, job jobs.Job) (any, error) {
	configs := map[string]*string{}
	for k, v := range job.Set {
		configs[k] = &v
	}
	_, err := admin.CreateTopic(ctx, job.Partitions, 1, configs, job.Topic)
	return nil, err
}

func listTopics(ctx context.Context, _ jobs.Job) (any, error) {
	topics, err := admin.ListTopics(ctx)
	return topics.Names(), err
}

func describeTopic(ctx context.Context, job jobs.Job) (any, error) {
	topics, err := admin.ListTopics(ctx, job.Topic)
	if err != nil {
		return nil, err
	}
	if err := topics.Error(); err != nil {
		return nil, err
	}
	return len(topics[job.Topic].Partitions), nil
}

func offsets(ctx context.Context, job jobs.Job) (any, error) {
	var listed kadm.ListedOffsets
	var err error
	switch job.At {
	case -1:
		listed, err = admin.ListEndOffsets(ctx, job.Topic)
	case -2:
		listed, err = admin.ListStartOffsets(ctx, job.Topic)
	case -3:
		listed, err = admin.ListMaxTimestampOffsets(ctx, job.Topic)
	default:
		listed, err = admin.ListOffsetsAfterMilli(ctx, job.At, job.Topic)
	}
	if err != nil {
		return nil, err
	}
	found, ok := listed.Lookup(job.Topic, job.Partition)
	if !ok {
		return nil, errors.New("the partition is not in the answer")
	}
	return found.Offset, found.Err
}

func describeConfigs(ctx context.Context, job jobs.Job) (any, error) {
	resources, err := admin.DescribeTopicConfigs(ctx, job.Topic)
	if err != nil {
		return nil, err
	}
	configs := map[string]string{}
	for _, resource := range resources {
		if resource.Err != nil {
			return nil, resource.Err
		}
		for _, c := range resource.Configs {
			configs[c.Key] = c.MaybeValue()
		}
	}
	return configs, nil
}

func alterConfigs(ctx context.Context, job jobs.Job) (any, error) {
	changes := []kadm.AlterConfig{}
	for k, v := range job.Set {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: k, Value: &v})
	}
	for _, k := range job.Remove {
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: k})
	}
	answers, err := admin.AlterTopicConfigs(ctx, changes, job.Topic)
	if err != nil {
		return nil, err
	}
	for _, answer := range answers {
		if answer.Err != nil {
			return nil, answer.Err
		}
	}
	return nil, nil
}

func deleteRecords(ctx context.Context, job jobs.Job) (any, error) {
	before := kadm.Offsets{}
	before.AddOffset(job.Topic, job.Partition, job.Offset, -1)
	answers, err := admin.DeleteRecords(ctx, before)
	if err != nil {
		return nil, err
	}
	return answers[job.Topic][job.Partition].LowWatermark, answers.Error()
}

func describeProducers(ctx context.Context, job jobs.Job) (any, error) {
	set := kadm.TopicsSet{}
	set.Add(job.Topic, job.Partition)
	described, err := admin.DescribeProducers(ctx, set)
	if err != nil {
		return nil, err
	}
	found := described[job.Topic].Partitions[job.Partition]
	return len(found.ActiveProducers), found.Err
}

func logDirs(ctx context.Context, job jobs.Job) (any, error) {
	set := kadm.TopicsSet{}
	set.Add(job.Topic, job.Partition)
	all, err := admin.DescribeAllLogDirs(ctx, set)
	if err != nil {
		return nil, err
	}
	var size int64
	all.Each(func(dir kadm.DescribedLogDir) { size += dir.Size() })
	return size, nil
}

func codeOf(err error) (int16, bool) {
	var code *kerr.Error
	if errors.As(err, &code) {
		return code.Code, true
	}
	return 0, false
}

func main() {
	jobs.Serve(codeOf, groupHandlers, transactionHandlers, jobs.Handlers{
		"produce":       produce,
		"consume":       consume,
		"createTopic":   withAdmin(createTopic),
		"listTopics":    withAdmin(listTopics),
		"describeTopic": withAdmin(describeTopic),
		"createPartitions": withAdmin(func(ctx context.Context, job jobs.Job) (any, error) {
			answers, err := admin.UpdatePartitions(ctx, int(job.Partitions), job.Topic)
			if err != nil {
				return nil, err
			}
			return nil, answers.Error()
		}),
		"offsets":           withAdmin(offsets),
		"describeConfigs":   withAdmin(describeConfigs),
		"alterConfigs":      withAdmin(alterConfigs),
		"deleteRecords":     withAdmin(deleteRecords),
		"describeProducers": withAdmin(describeProducers),
		"logDirs":           withAdmin(logDirs),
		"deleteTopic": withAdmin(func(ctx context.Context, job jobs.Job) (any, error) {
			_, err := admin.DeleteTopic(ctx, job.Topic)
			return nil, err
		}),
		"describeCluster": withAdmin(func(ctx context.Context, _ jobs.Job) (any, error) {
			m, err := admin.BrokerMetadata(ctx)
			if err != nil {
				return nil, err
			}
			return map[string]any{"brokers": len(m.Brokers), "controller": m.Controller}, nil
		}),
	})
}
