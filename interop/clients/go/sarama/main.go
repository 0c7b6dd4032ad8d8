// sarama driven by the interop runner: sync and async producer, partition consumer, cluster admin.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/IBM/sarama"
	"millrace/interop/jobs"
)

var bootstrap = []string{os.Args[1]}

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = "interop-sarama"
	c.Version = sarama.V2_8_0_0
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Consumer.Return.Errors = true
	c.Consumer.MaxWaitTime = 50 * time.Millisecond
	return c
}

func message(job jobs.Job, r jobs.Record) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{Topic: job.Topic, Partition: job.Partition, Timestamp: time.UnixMilli(r.Timestamp)}
	if r.Key != nil {
		m.Key = sarama.ByteEncoder(r.Key)
	}
	if r.Value != nil {
		m.Value = sarama.ByteEncoder(r.Value)
	}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Name), Value: h.Value})
	}
	return m
}

// produce: mode "sync" sends one array; "async" goes through the channels; "idempotent" is sync with a producer id.
func produce(job jobs.Job) (any, error) {
	c := config()
	c.Producer.Compression = codecs[job.Codec]
	if job.Mode == "idempotent" {
		c.Producer.Idempotent = true
		c.Net.MaxOpenRequests = 1
	}
	messages := make([]*sarama.ProducerMessage, 0, len(job.Records))
	for _, r := range job.Records {
		messages = append(messages, message(job, r))
	}
	if job.Mode == "async" {
		p, err := sarama.NewAsyncProducer(bootstrap, c)
		if err != nil {
			return nil, err
		}
		go func() {
			for _, m := range messages {
				p.Input() <- m
			}
		}()
		for range messages {
			select {
			case <-p.Successes():
			case err := <-p.Errors():
				return nil, err.Err
			}
		}
		if err := p.Close(); err != nil {
			return nil, err
		}
	} else {
		p, err := sarama.NewSyncProducer(bootstrap, c)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		if err := p.SendMessages(messages); err != nil {
			var all sarama.ProducerErrors
			if errors.As(err, &all) && len(all) > 0 {
				return nil, all[0].Err
			}
			return nil, err
		}
	}
	result := jobs.Offsets{}
	for _, m := range messages {
		result.Offsets = append(result.Offsets, m.Offset)
	}
	return result, nil
}

var consumers = map[string]sarama.Consumer{}

// consume: mode "read_committed" sets the isolation level. One consumer for each mode.
func consume(job jobs.Job) (any, error) {
	consumer := consumers[job.Mode]
	if consumer == nil {
		options := config()
		if job.Mode == "read_committed" {
			options.Consumer.IsolationLevel = sarama.ReadCommitted
		}
		c, err := sarama.NewConsumer(bootstrap, options)
		if err != nil {
			return nil, err
		}
		consumer = c
		consumers[job.Mode] = c
	}
	p, err := consumer.ConsumePartition(job.Topic, job.Partition, job.Offset)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	result := jobs.Records{Records: []jobs.Record{}}
	deadline := time.After(time.Duration(job.TimeoutMs) * time.Millisecond)
	for len(result.Records) < job.Count {
		select {
		case m := <-p.Messages():
			r := jobs.Record{Offset: m.Offset, Timestamp: m.Timestamp.UnixMilli(), Key: m.Key, Value: m.Value, Headers: []jobs.Header{}}
			for _, h := range m.Headers {
				r.Headers = append(r.Headers, jobs.Header{Name: string(h.Key), Value: h.Value})
			}
			result.Records = append(result.Records, r)
		case err := <-p.Errors():
			return nil, err.Err
		case <-deadline:
			return nil, fmt.Errorf("%d of %d records came in %d ms", len(result.Records), job.Count, job.TimeoutMs)
		}
	}
	return result, nil
}

func withAdmin(use func(sarama.ClusterAdmin, jobs.Job) (any, error)) func(jobs.Job) (any, error) {
	return func(job jobs.Job) (any, error) {
		admin, err := sarama.NewClusterAdmin(bootstrap, config())
		if err != nil {
			return nil, err
		}
		defer admin.Close()
		return use(admin, job)
	}
}

func createTopic(admin sarama.ClusterAdmin, job jobs.Job) (any, error) {
	entries := map[string]*string{}
	for k, v := range job.Set {
		entries[k] = &v
	}
	return nil, admin.CreateTopic(job.Topic, &sarama.TopicDetail{NumPartitions: job.Partitions, ReplicationFactor: 1, ConfigEntries: entries}, false)
}

func listTopics(admin sarama.ClusterAdmin, _ jobs.Job) (any, error) {
	topics, err := admin.ListTopics()
	names := []string{}
	for name := range topics {
		names = append(names, name)
	}
	return names, err
}

func describeTopic(admin sarama.ClusterAdmin, job jobs.Job) (any, error) {
	topics, err := admin.DescribeTopics([]string{job.Topic})
	if err != nil {
		return nil, err
	}
	if topics[0].Err != sarama.ErrNoError {
		return nil, topics[0].Err
	}
	return len(topics[0].Partitions), nil
}

func offsets(job jobs.Job) (any, error) {
	client, err := sarama.NewClient(bootstrap, config())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.GetOffset(job.Topic, job.Partition, job.At)
}

func describeConfigs(admin sarama.ClusterAdmin, job jobs.Job) (any, error) {
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: job.Topic})
	configs := map[string]string{}
	for _, e := range entries {
		configs[e.Name] = e.Value
	}
	return configs, err
}

func alterConfigs(admin sarama.ClusterAdmin, job jobs.Job) (any, error) {
	entries := map[string]sarama.IncrementalAlterConfigsEntry{}
	for k, v := range job.Set {
		entries[k] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &v}
	}
	for _, k := range job.Remove {
		entries[k] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationDelete}
	}
	return nil, admin.IncrementalAlterConfig(sarama.TopicResource, job.Topic, entries, false)
}

func codeOf(err error) (int16, bool) {
	var topic *sarama.TopicError
	if errors.As(err, &topic) {
		return int16(topic.Err), true
	}
	var code sarama.KError
	if errors.As(err, &code) {
		return int16(code), true
	}
	return 0, false
}

func main() {
	jobs.Serve(codeOf, groupHandlers, transactionHandlers, jobs.Handlers{
		"produce":       produce,
		"consume":       consume,
		"offsets":       offsets,
		"createTopic":   withAdmin(createTopic),
		"listTopics":    withAdmin(listTopics),
		"describeTopic": withAdmin(describeTopic),
		"createPartitions": withAdmin(func(admin sarama.ClusterAdmin, job jobs.Job) (any, error) {
			return nil, admin.CreatePartitions(job.Topic, job.Partitions, nil, false)
		}),
		"describeConfigs": withAdmin(describeConfigs),
		"alterConfigs":    withAdmin(alterConfigs),
		"deleteRecords": withAdmin(func(admin sarama.ClusterAdmin, job jobs.Job) (any, error) {
			return nil, admin.DeleteRecords(job.Topic, map[int32]int64{job.Partition: job.Offset})
		}),
		"deleteTopic": withAdmin(func(admin sarama.ClusterAdmin, job jobs.Job) (any, error) {
			return nil, admin.DeleteTopic(job.Topic)
		}),
		"describeCluster": withAdmin(func(admin sarama.ClusterAdmin, _ jobs.Job) (any, error) {
			brokers, controller, err := admin.DescribeCluster()
			if err != nil {
				return nil, err
			}
			return map[string]any{"brokers": len(brokers), "controller": controller}, nil
		}),
		"logDirs": withAdmin(func(admin sarama.ClusterAdmin, job jobs.Job) (any, error) {
			_, controller, err := admin.DescribeCluster()
			if err != nil {
				return nil, err
			}
			dirs, err := admin.DescribeLogDirs([]int32{controller})
			if err != nil {
				return nil, err
			}
			var size int64
			for _, dir := range dirs[controller] {
				for _, topic := range dir.Topics {
					if topic.Topic == job.Topic {
						for _, p := range topic.Partitions {
							size += p.Size
						}
					}
				}
			}
			return size, nil
		}),
	})
}
