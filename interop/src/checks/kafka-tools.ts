export const kafkaTools = { name: 'kafka-tools', version: '4.3.1' }
export const checkKafkaTools = async (_: unknown) => {}
