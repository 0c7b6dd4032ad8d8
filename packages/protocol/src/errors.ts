/**
 * Kafka's error codes: the one table from which names, retriability and default messages come.
 * Up to Apache Kafka 4.3.1. `retriable` means that the same request may succeed later, perhaps after refreshing metadata.
 */

const retriable = true
const final = false

const errors = {
  UNKNOWN_SERVER_ERROR: [-1, final, 'The server failed in an unexpected way while handling the request.'],
  NONE: [0, final, 'No error.'],
  OFFSET_OUT_OF_RANGE: [1, final, 'The offset lies outside the range of offsets the log holds.'],
  CORRUPT_MESSAGE: [2, retriable, 'The record batch is corrupt: bad checksum, bad size or otherwise unreadable.'],
  UNKNOWN_TOPIC_OR_PARTITION: [3, retriable, 'This server does not host the topic-partition.'],
  INVALID_FETCH_SIZE: [4, final, 'The fetch size is not valid.'],
  LEADER_NOT_AVAILABLE: [5, retriable, 'The topic-partition has no leader at the moment; an election is under way.'],
  NOT_LEADER_OR_FOLLOWER: [6, retriable, 'This broker is not the leader, or not a replica, of the topic-partition.'],
  REQUEST_TIMED_OUT: [7, retriable, 'The request was not completed within its timeout.'],
  BROKER_NOT_AVAILABLE: [8, final, 'The broker is not available.'],
  REPLICA_NOT_AVAILABLE: [9, retriable, 'The replica asked for is not available on this broker.'],
  MESSAGE_TOO_LARGE: [10, final, 'A record batch is larger than the server accepts.'],
  STALE_CONTROLLER_EPOCH: [11, final, 'The controller has moved to another broker.'],
  OFFSET_METADATA_TOO_LARGE: [12, final, 'The metadata committed with the offset is too long.'],
  NETWORK_EXCEPTION: [13, retriable, 'The connection was lost before the response arrived.'],
  COORDINATOR_LOAD_IN_PROGRESS: [14, retriable, 'The coordinator is still loading its state.'],
  COORDINATOR_NOT_AVAILABLE: [15, retriable, 'The coordinator is not available.'],
  NOT_COORDINATOR: [16, retriable, 'This broker is not the coordinator asked for.'],
  INVALID_TOPIC_EXCEPTION: [17, final, 'The topic name is invalid, or the operation is not allowed on this topic.'],
  RECORD_LIST_TOO_LARGE: [18, final, 'The batches sent are together larger than a log segment may be.'],
  NOT_ENOUGH_REPLICAS: [19, retriable, 'Fewer replicas are in sync than the topic requires, so nothing was written.'],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [20, retriable, 'Written, but to fewer in-sync replicas than the topic requires.'],
  INVALID_REQUIRED_ACKS: [21, final, 'The acks of a produce request must be -1, 0 or 1.'],
  ILLEGAL_GENERATION: [22, final, 'The generation is not the current generation of the group.'],
  INCONSISTENT_GROUP_PROTOCOL: [
    23,
    final,
    'The protocol type or the protocols offered do not match those of the group.',
  ],
  INVALID_GROUP_ID: [24, final, 'The group id is not valid.'],
  UNKNOWN_MEMBER_ID: [25, final, 'The coordinator does not know this member.'],
  INVALID_SESSION_TIMEOUT: [26, final, 'The session timeout is outside the range the broker allows.'],
  REBALANCE_IN_PROGRESS: [27, final, 'The group is rebalancing; the member has to join again.'],
  INVALID_COMMIT_OFFSET_SIZE: [28, final, 'The offset commit is too large to be stored.'],
  TOPIC_AUTHORIZATION_FAILED: [29, final, 'Not authorized for the topic.'],
  GROUP_AUTHORIZATION_FAILED: [30, final, 'Not authorized for the group.'],
  CLUSTER_AUTHORIZATION_FAILED: [31, final, 'Not authorized for this operation on the cluster.'],
  INVALID_TIMESTAMP: [32, final, 'The timestamp of a record is outside the accepted range.'],
  UNSUPPORTED_SASL_MECHANISM: [33, final, 'The broker does not have this SASL mechanism enabled.'],
  ILLEGAL_SASL_STATE: [34, final, 'The request does not fit the state of SASL authentication.'],
  UNSUPPORTED_VERSION: [35, final, 'The version of the API is not supported.'],
  TOPIC_ALREADY_EXISTS: [36, final, 'A topic of this name exists already.'],
  INVALID_PARTITIONS: [37, final, 'The number of partitions is not valid.'],
  INVALID_REPLICATION_FACTOR: [38, final, 'The replication factor is below 1 or above the number of usable brokers.'],
  INVALID_REPLICA_ASSIGNMENT: [39, final, 'The replica assignment is not valid.'],
  INVALID_CONFIG: [40, final, 'The configuration is not valid.'],
  NOT_CONTROLLER: [41, retriable, 'This broker is not the controller of the cluster.'],
  INVALID_REQUEST: [42, final, 'The request contradicts itself or the rules of its API.'],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, final, 'The record format does not carry what the request needs.'],
  POLICY_VIOLATION: [44, final, 'The request violates a policy of the cluster.'],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [45, final, 'The sequence number does not follow the last one of this producer.'],
  DUPLICATE_SEQUENCE_NUMBER: [46, final, 'The sequence number was used before by this producer.'],
  INVALID_PRODUCER_EPOCH: [47, final, 'The epoch of the producer is not the current one.'],
  INVALID_TXN_STATE: [48, final, 'The transactional operation does not fit the state of the transaction.'],
  INVALID_PRODUCER_ID_MAPPING: [49, final, 'The producer id does not belong to this transactional id.'],
  INVALID_TRANSACTION_TIMEOUT: [
    50,
    final,
    'The transaction timeout is above transaction.max.timeout.ms or not positive.',
  ],
  CONCURRENT_TRANSACTIONS: [51, retriable, 'Another operation on the same transaction is still under way.'],
  TRANSACTION_COORDINATOR_FENCED: [
    52,
    final,
    'The transaction coordinator that sent this has been replaced by a newer one.',
  ],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [53, final, 'Not authorized for the transactional id.'],
  SECURITY_DISABLED: [54, final, 'Security features are disabled: no authorizer is configured.'],
  OPERATION_NOT_ATTEMPTED: [55, final, 'The operation was not attempted because another part of the request failed.'],
  KAFKA_STORAGE_ERROR: [56, retriable, 'The disk that holds the log failed.'],
  LOG_DIR_NOT_FOUND: [57, final, 'The log directory is not among those configured.'],
  SASL_AUTHENTICATION_FAILED: [58, final, 'Authentication failed.'],
  UNKNOWN_PRODUCER_ID: [59, final, 'The broker has no state of this producer id; its records may have expired.'],
  REASSIGNMENT_IN_PROGRESS: [60, final, 'A reassignment of the partition is in progress.'],
  DELEGATION_TOKEN_AUTH_DISABLED: [61, final, 'Delegation tokens are not enabled.'],
  DELEGATION_TOKEN_NOT_FOUND: [62, final, 'The delegation token does not exist.'],
  DELEGATION_TOKEN_OWNER_MISMATCH: [63, final, 'The principal is neither owner nor renewer of the delegation token.'],
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: [
    64,
    final,
    'Delegation tokens may not be requested over this kind of connection.',
  ],
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: [65, final, 'Not authorized for the delegation token.'],
  DELEGATION_TOKEN_EXPIRED: [66, final, 'The delegation token has expired.'],
  INVALID_PRINCIPAL_TYPE: [67, final, 'The principal type is not supported.'],
  NON_EMPTY_GROUP: [68, final, 'The group still has members.'],
  GROUP_ID_NOT_FOUND: [69, final, 'The group does not exist.'],
  FETCH_SESSION_ID_NOT_FOUND: [70, retriable, 'The fetch session does not exist, or exists no longer.'],
  INVALID_FETCH_SESSION_EPOCH: [71, retriable, 'The epoch of the fetch session is not the expected one.'],
  LISTENER_NOT_FOUND: [72, retriable, 'The leader has no listener of the name the request came in on.'],
  TOPIC_DELETION_DISABLED: [73, final, 'Deleting topics is disabled by delete.topic.enable.'],
  FENCED_LEADER_EPOCH: [74, retriable, 'The leader epoch of the request is older than that of the broker.'],
  UNKNOWN_LEADER_EPOCH: [75, retriable, 'The leader epoch of the request is newer than that of the broker.'],
  UNSUPPORTED_COMPRESSION_TYPE: [76, final, 'The compression type does not go with the version of the request.'],
  STALE_BROKER_EPOCH: [77, final, 'The broker has registered again since this epoch.'],
  OFFSET_NOT_AVAILABLE: [
    78,
    retriable,
    'The high watermark of a new leader has not yet reached the start of its epoch.',
  ],
  MEMBER_ID_REQUIRED: [79, final, 'The member has to join again with the member id it was given.'],
  PREFERRED_LEADER_NOT_AVAILABLE: [80, retriable, 'The preferred leader is not available.'],
  GROUP_MAX_SIZE_REACHED: [81, final, 'The group has as many members as it may have.'],
  FENCED_INSTANCE_ID: [82, final, 'Another member has taken over this group instance id.'],
  ELIGIBLE_LEADERS_NOT_AVAILABLE: [83, retriable, 'No replica is eligible to become leader.'],
  ELECTION_NOT_NEEDED: [84, retriable, 'The partition needs no leader election.'],
  NO_REASSIGNMENT_IN_PROGRESS: [85, final, 'No reassignment of the partition is in progress.'],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, final, 'The group is subscribed to the topic, so its offsets cannot be deleted.'],
  INVALID_RECORD: [87, final, 'A record breaks the rules of the topic or of the record format.'],
  UNSTABLE_OFFSET_COMMIT: [88, retriable, 'Offsets of an unfinished transaction are pending.'],
  THROTTLING_QUOTA_EXCEEDED: [89, retriable, 'A quota has been exceeded.'],
  PRODUCER_FENCED: [90, final, 'A newer producer uses the same transactional id.'],
  RESOURCE_NOT_FOUND: [91, final, 'The request names a resource that does not exist.'],
  DUPLICATE_RESOURCE: [92, final, 'The request names the same resource twice.'],
  UNACCEPTABLE_CREDENTIAL: [93, final, 'The credential does not meet the requirements.'],
  INCONSISTENT_VOTER_SET: [94, final, 'Sender and receiver disagree about the set of voters.'],
  INVALID_UPDATE_VERSION: [95, final, 'The version given for the update is not valid.'],
  FEATURE_UPDATE_FAILED: [96, final, 'The features could not be updated.'],
  PRINCIPAL_DESERIALIZATION_FAILURE: [97, final, 'The principal inside a forwarded request could not be read.'],
  SNAPSHOT_NOT_FOUND: [98, final, 'The snapshot does not exist.'],
  POSITION_OUT_OF_RANGE: [99, final, 'The position lies outside the snapshot.'],
  UNKNOWN_TOPIC_ID: [100, retriable, 'This server does not host a topic of this id.'],
  DUPLICATE_BROKER_REGISTRATION: [101, final, 'A live broker is registered under this id.'],
  BROKER_ID_NOT_REGISTERED: [102, final, 'No broker is registered under this id.'],
  INCONSISTENT_TOPIC_ID: [103, retriable, 'The topic id of the request is not that of the log.'],
  INCONSISTENT_CLUSTER_ID: [104, final, 'The cluster id of the request is not that of this cluster.'],
  TRANSACTIONAL_ID_NOT_FOUND: [105, final, 'The transactional id is not known.'],
  FETCH_SESSION_TOPIC_ID_ERROR: [106, retriable, 'The request and its fetch session disagree on the use of topic ids.'],
  INELIGIBLE_REPLICA: [107, final, 'The new ISR contains a replica that may not be in it.'],
  NEW_LEADER_ELECTED: [108, final, 'The partition was changed, but it has a new leader.'],
  OFFSET_MOVED_TO_TIERED_STORAGE: [109, final, 'The offset is no longer held locally, only in tiered storage.'],
  FENCED_MEMBER_EPOCH: [110, final, 'The member epoch is fenced: give up all partitions and join again.'],
  UNRELEASED_INSTANCE_ID: [111, final, 'Another member holds the instance id and has to leave first.'],
  UNSUPPORTED_ASSIGNOR: [112, final, 'The group does not support the assignor.'],
  STALE_MEMBER_EPOCH: [113, final, 'The member epoch is stale: retry with the one of the next heartbeat.'],
  MISMATCHED_ENDPOINT_TYPE: [114, final, 'The request reached the wrong type of endpoint.'],
  UNSUPPORTED_ENDPOINT_TYPE: [115, final, 'The endpoint type is not supported.'],
  UNKNOWN_CONTROLLER_ID: [116, final, 'The controller id is not known.'],
  UNKNOWN_SUBSCRIPTION_ID: [117, final, 'The telemetry subscription id is invalid or outdated.'],
  TELEMETRY_TOO_LARGE: [118, final, 'The telemetry pushed is larger than the broker accepts.'],
  INVALID_REGISTRATION: [119, final, 'The controller refuses the registration of the broker.'],
  TRANSACTION_ABORTABLE: [
    120,
    final,
    'The transaction failed and has to be aborted; the producer can go on after that.',
  ],
  INVALID_RECORD_STATE: [121, final, 'The records are not in a state in which they can be acknowledged.'],
  SHARE_SESSION_NOT_FOUND: [122, retriable, 'The share session does not exist.'],
  INVALID_SHARE_SESSION_EPOCH: [123, retriable, 'The epoch of the share session is not the expected one.'],
  FENCED_STATE_EPOCH: [124, final, 'The state epoch of the share group is not the current one.'],
  INVALID_VOTER_KEY: [125, final, 'The voter key is not that of the receiving replica.'],
  DUPLICATE_VOTER: [126, final, 'The voter belongs to the set already.'],
  VOTER_NOT_FOUND: [127, final, 'The voter does not belong to the set.'],
  INVALID_REGULAR_EXPRESSION: [128, final, 'The regular expression is not valid.'],
  REBOOTSTRAP_REQUIRED: [129, final, 'The metadata of the client is stale: start again from the bootstrap servers.'],
  STREAMS_INVALID_TOPOLOGY: [130, final, 'The streams topology is not valid.'],
  STREAMS_INVALID_TOPOLOGY_EPOCH: [131, final, 'The epoch of the streams topology is not valid.'],
  STREAMS_TOPOLOGY_FENCED: [132, final, 'The epoch of the streams topology is outdated.'],
  SHARE_SESSION_LIMIT_REACHED: [133, retriable, 'There are as many share sessions as there may be.'],
} as const

export type ErrorName = keyof typeof errors

/** Codes by name: `ErrorCode.OFFSET_OUT_OF_RANGE === 1`. */
export const ErrorCode = Object.fromEntries(Object.entries(errors).map(([name, [code]]) => [name, code])) as {
  readonly [Name in ErrorName]: (typeof errors)[Name][0]
}

const byCode = new Map(
  Object.entries(errors).map(([name, [code, mayRetry, message]]) => [code as number, { name, mayRetry, message }]),
)

/** Kafka's name of an error code; `UNKNOWN_ERROR_<code>` for one that is newer than this table. */
export function errorName(code: number): string {
  return byCode.get(code)?.name ?? `UNKNOWN_ERROR_${code}`
}

/** Whether the same request may succeed later. False for unknown codes. */
export function isRetriable(code: number): boolean {
  return byCode.get(code)?.mayRetry ?? false
}

/** A sentence for people. For unknown codes it names the code. */
export function defaultErrorMessage(code: number): string {
  return byCode.get(code)?.message ?? `The server answered with error code ${code}, which is not known here.`
}

/**
 * A failure that the protocol has a code for. `message` is for people, never to be branched on.
 * `cause` is what went wrong underneath, if anything did.
 */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly code: number
  /** Whether the same may succeed later: what the code says, unless whoever made the error knows better. */
  readonly retriable: boolean

  constructor(
    code: number,
    message: string = defaultErrorMessage(code),
    options?: ErrorOptions & { readonly retriable?: boolean },
  ) {
    super(message, options)
    this.code = code
    this.retriable = options?.retriable ?? isRetriable(code)
  }
}
