// What is published. Each is bundled with everything of ours that it imports, but for other products that are its dependencies.

export const products = [
  {
    name: 'millrace',
    keywords: ['kafka', 'broker', 'streaming', 'message-queue', 'testing'],
    readme: 'README.md',
    entryPoints: { command: 'packages/millrace/src/command.ts', index: 'packages/millrace/src/index.ts' },
    bin: { directory: 'packages/millrace/bin', commands: { millrace: './bin/millrace.cjs' } },
    dependsOn: [],
  },
  {
    name: '@millrace/client',
    keywords: ['kafka', 'client', 'producer', 'consumer', 'share-consumer', 'admin', 'streaming'],
    readme: 'packages/client/README.md',
    entryPoints: { index: 'packages/client/src/index.ts' },
    bin: null,
    dependsOn: [],
  },
  {
    name: '@millrace/kafkajs',
    keywords: ['kafka', 'kafkajs', 'client', 'producer', 'consumer', 'admin'],
    readme: 'packages/kafkajs/README.md',
    entryPoints: { index: 'packages/kafkajs/src/index.ts' },
    bin: null,
    dependsOn: ['@millrace/client'],
  },
]
