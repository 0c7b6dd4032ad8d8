export { CoordinationError, isCoordinationFailure } from './coordination-error.ts'
export type { CoordinationErrorOptions, CoordinationFailure } from './coordination-error.ts'
export { EmbeddedTree } from './embedded/embedded-tree.ts'
export type { EmbeddedTreeOptions } from './embedded/embedded-tree.ts'
export type { EmbeddedSession } from './embedded/embedded-session.ts'
export type { NodeStore } from './embedded/node-store.ts'
export type { TreeNode } from './embedded/tree-nodes.ts'
export { checkNode, createNode, deleteNode, MAX_MULTI_BYTES, operationBytes, setNode } from './tree.ts'
export type {
  ConnectOptions,
  CoordinationSession,
  CoordinationTree,
  CreateMode,
  NodeStat,
  NodeValue,
  Operation,
  OperationResult,
  SessionState,
  Watcher,
  WatchEvent,
} from './tree.ts'
