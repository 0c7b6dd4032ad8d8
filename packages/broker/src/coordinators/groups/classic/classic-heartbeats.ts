/** Heartbeats of members of classic groups. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { answer, type Decision } from '../../runtime/decision.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from './classic-answers.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { ClassicSessions } from './classic-sessions.ts'

/** @throws KafkaError with the code of the answer. */
export function heartbeat(
  group: ClassicGroup,
  { memberId, groupInstanceId, generationId }: HeartbeatRequest,
  sessions: ClassicSessions,
): Decision<HeartbeatAnswer> {
  group.checkMember(memberId, groupInstanceId)
  if (generationId !== group.generation) throw new KafkaError(ErrorCode.ILLEGAL_GENERATION)
  if (group.isEmpty) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
  sessions.restart(group, group.members.get(memberId)!)
  const isCalledToJoin = group.state === 'PreparingRebalance'
  return answer({ errorCode: isCalledToJoin ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE })
}
