// kafka-go driven by the interop runner: Writer, Conn, partition Reader, Client for admin.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
	"millrace/interop/jobs"
)

var bootstrap = os.Args[1]

var codecs = map[string]kafka.Compression{
	"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

func within(ms int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(ms)*time.Millisecond)
}

func dial(job jobs.Job) (*kafka.Conn, error) {
	ctx, cancel := within(10000)
	defer cancel()
	return kafka.DialLeader(ctx, "tcp", bootstrap, job.Topic, int(job.Partition))
}

func messages(job jobs.Job) []kafka.Message {
	all := make([]kafka.Message, 0, len(job.Records))
	for _, r := range job.Records {
		m := kafka.Message{Key: r.Key, Value: r.Value, Time: time.UnixMilli(r.Timestamp)}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Name, Value: h.Value})
		}
		all = append(all, m)
	}
	return all
}

// produce: mode "writer" goes through Writer with a fixed balancer, "conn" through a leader connection.
func produce(job jobs.Job) (any, error) {
	if job.Mode == "conn" {
		conn, err := dial(job)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return nil, err
		}
		if codec := codecs[job.Codec].Codec(); codec != nil {
			_, err = conn.WriteCompressedMessages(codec, messages(job)...)
		} else {
			_, err = conn.WriteMessages(messages(job)...)
		}
		return nil, err
	}
	w := &kafka.Writer{
		Addr: kafka.TCP(bootstrap), Topic: job.Topic, Compression: codecs[job.Codec], RequiredAcks: kafka.RequireAll,
		Transport: transport, BatchTimeout: 5 * time.Millisecond, BatchSize: 1000, BatchBytes: 900000,
		Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return int(job.Partition) }),
	}
	ctx, cancel := within(20000)
	defer cancel()
	err := w.WriteMessages(ctx, messages(job)...)
	var several kafka.WriteErrors
	if errors.As(err, &several) {
		for _, one := range several {
			if one != nil {
				err = one
				break
			}
		}
	}
	if closing := w.Close(); err == nil {
		err = closing
	}
	return nil, err
}

func record(m kafka.Message) jobs.Record {
	r := jobs.Record{Offset: m.Offset, Timestamp: m.Time.UnixMilli(), Key: m.Key, Value: m.Value, Headers: []jobs.Header{}}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, jobs.Header{Name: h.Key, Value: h.Value})
	}
	return r
}

// consume: mode "conn" reads batches from a leader connection; otherwise a partition Reader.
func consume(job jobs.Job) (any, error) {
	result := jobs.Records{Records: []jobs.Record{}}
	if job.Mode == "conn" {
		conn, err := dial(job)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(time.Duration(job.TimeoutMs) * time.Millisecond)); err != nil {
			return nil, err
		}
		offset, whence := job.Offset, kafka.SeekAbsolute
		if job.Offset == -2 {
			offset, whence = 0, kafka.SeekStart
		}
		if _, err := conn.Seek(offset, whence); err != nil {
			return nil, err
		}
		for len(result.Records) < job.Count {
			batch := conn.ReadBatch(1, 10<<20)
			for len(result.Records) < job.Count {
				m, err := batch.ReadMessage()
				if err != nil {
					break
				}
				result.Records = append(result.Records, record(m))
			}
			if err := batch.Close(); err != nil {
				return nil, err
			}
		}
		return result, nil
	}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap}, Topic: job.Topic, Partition: int(job.Partition), MinBytes: 1, MaxBytes: 10 << 20,
		MaxWait: 100 * time.Millisecond, ReadBackoffMin: 10 * time.Millisecond,
	})
	defer reader.Close()
	if err := reader.SetOffset(job.Offset); err != nil {
		return nil, err
	}
	ctx, cancel := within(job.TimeoutMs)
	defer cancel()
	for len(result.Records) < job.Count {
		m, err := reader.ReadMessage(ctx)
		if err != nil {
			return nil, fmt.Errorf("%d of %d records came: %w", len(result.Records), job.Count, err)
		}
		result.Records = append(result.Records, record(m))
	}
	return result, nil
}

// By default metadata is kept for 6 s, and a new topic stays unknown that long.
var transport = &kafka.Transport{MetadataTTL: 500 * time.Millisecond}

var client = &kafka.Client{
	Addr: kafka.TCP(bootstrap), Timeout: 20 * time.Second,
	Transport: transport,
}

func createTopic(job jobs.Job) (any, error) {
	configs := []kafka.ConfigEntry{}
	for k, v := range job.Set {
		configs = append(configs, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
	}
	answer, err := client.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: job.Topic, NumPartitions: int(job.Partitions), ReplicationFactor: 1, ConfigEntries: configs},
	}})
	if err != nil {
		return nil, err
	}
	return nil, answer.Errors[job.Topic]
}

func listTopics(jobs.Job) (any, error) {
	answer, err := client.Metadata(context.Background(), &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, topic := range answer.Topics {
		names = append(names, topic.Name)
	}
	return names, nil
}

func describeTopic(job jobs.Job) (any, error) {
	answer, err := client.Metadata(context.Background(), &kafka.MetadataRequest{Topics: []string{job.Topic}})
	if err != nil {
		return nil, err
	}
	return len(answer.Topics[0].Partitions), answer.Topics[0].Error
}

func offsets(job jobs.Job) (any, error) {
	asked := kafka.OffsetRequest{Partition: int(job.Partition), Timestamp: job.At}
	answer, err := client.ListOffsets(context.Background(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{job.Topic: {asked}}})
	if err != nil {
		return nil, err
	}
	found := answer.Topics[job.Topic][0]
	switch job.At {
	case -1:
		return found.LastOffset, found.Error
	case -2:
		return found.FirstOffset, found.Error
	}
	for offset := range found.Offsets {
		return offset, found.Error
	}
	return -1, found.Error
}

func describeConfigs(job jobs.Job) (any, error) {
	answer, err := client.DescribeConfigs(context.Background(), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: job.Topic},
	}})
	if err != nil {
		return nil, err
	}
	configs := map[string]string{}
	for _, entry := range answer.Resources[0].ConfigEntries {
		configs[entry.ConfigName] = entry.ConfigValue
	}
	return configs, answer.Resources[0].Error
}

func alterConfigs(job jobs.Job) (any, error) {
	changes := []kafka.IncrementalAlterConfigsRequestConfig{}
	for k, v := range job.Set {
		changes = append(changes, kafka.IncrementalAlterConfigsRequestConfig{Name: k, Value: v, ConfigOperation: kafka.ConfigOperationSet})
	}
	for _, k := range job.Remove {
		changes = append(changes, kafka.IncrementalAlterConfigsRequestConfig{Name: k, ConfigOperation: kafka.ConfigOperationDelete})
	}
	answer, err := client.IncrementalAlterConfigs(context.Background(), &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: job.Topic, Configs: changes},
	}})
	if err != nil {
		return nil, err
	}
	return nil, answer.Resources[0].Error
}

func codeOf(err error) (int16, bool) {
	var code kafka.Error
	if errors.As(err, &code) {
		return int16(code), true
	}
	return 0, false
}

func main() {
	jobs.Serve(codeOf, groupHandlers, jobs.Handlers{
		"produce":       produce,
		"consume":       consume,
		"createTopic":   createTopic,
		"listTopics":    listTopics,
		"describeTopic": describeTopic,
		"createPartitions": func(job jobs.Job) (any, error) {
			answer, err := client.CreatePartitions(context.Background(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{
				{Name: job.Topic, Count: job.Partitions},
			}})
			if err != nil {
				return nil, err
			}
			return nil, answer.Errors[job.Topic]
		},
		"offsets":         offsets,
		"describeConfigs": describeConfigs,
		"alterConfigs":    alterConfigs,
		"deleteTopic": func(job jobs.Job) (any, error) {
			answer, err := client.DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: []string{job.Topic}})
			if err != nil {
				return nil, err
			}
			return nil, answer.Errors[job.Topic]
		},
		"describeCluster": func(jobs.Job) (any, error) {
			answer, err := client.Metadata(context.Background(), &kafka.MetadataRequest{Topics: []string{}})
			if err != nil {
				return nil, err
			}
			return map[string]any{"brokers": len(answer.Brokers), "controller": answer.Controller.ID}, nil
		},
	})
}
