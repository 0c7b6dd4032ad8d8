/** The operations a client may do on a resource, as the bits of Kafka's AclOperation codes (KIP-430). Without an authorizer: all there are. */

/** READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS */
export const TOPIC_OPERATIONS = bitsOf(3, 4, 5, 6, 7, 8, 10, 11)

/** CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE */
export const CLUSTER_OPERATIONS = bitsOf(5, 7, 8, 9, 10, 11, 12)

/** READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS */
export const GROUP_OPERATIONS = bitsOf(3, 6, 8, 10, 11)

/** Stands for: not asked for. */
export const OPERATIONS_OMITTED = -0x8000_0000

function bitsOf(...codes: number[]): number {
  return codes.reduce((bits, code) => bits | (1 << code), 0)
}
