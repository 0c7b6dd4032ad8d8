/** Whether offsets may be committed in a transaction: the partition they are written to must be part of it, as for any records (KIP-890). */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Verification } from '@millrace/storage'
import type { MetadataImage } from '../../metadata/image.ts'
import type { Partitions } from '../../partitions/partitions.ts'
import type { OffsetsInTransaction } from '../groups/group-coordinator.ts'
import { toCoordinatorError } from '../runtime/append-errors.ts'
import { txnOffsetCommitAbility, type PartitionVerification } from './partition-verification.ts'

const noSequence = -1

export interface VerifyOffsetsServices {
  readonly partitions: Partitions
  readonly image: () => MetadataImage
  readonly verification: PartitionVerification
}

/** What the append has to show, as in the log's `AppendOptions`. @throws KafkaError what the producer is to be told. */
export async function verifyOffsets(
  offsets: OffsetsInTransaction,
  { partitions, image, verification }: VerifyOffsetsServices,
): Promise<Verification | 'none' | undefined> {
  const { topic, partition: index, transactionalId, producerId, producerEpoch, apiVersion } = offsets
  const ability = txnOffsetCommitAbility(apiVersion)
  if (!verification.concerns(ability)) return undefined
  const partition = partitions.get(topic, index)
  if (partition === undefined) {
    const isElsewhere = image().partition(topic, index) !== undefined
    throw new KafkaError(isElsewhere ? ErrorCode.NOT_COORDINATOR : ErrorCode.COORDINATOR_NOT_AVAILABLE)
  }
  const [verified] = await verification.verify({ transactionalId, producerId, producerEpoch, ability }, [
    { partition, baseSequence: noSequence },
  ])
  const { errorCode } = verified!
  // Old clients do not expect the network's error here. With this one they send again, to the same coordinator.
  if (errorCode === ErrorCode.NETWORK_EXCEPTION) throw new KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  if (errorCode !== ErrorCode.NONE) throw toCoordinatorError(new KafkaError(errorCode))
  return verified!.verification
}
