import { expect, test } from 'vitest'
import { probableName } from '../../src/runtime/probable-name.ts'

const NAMES = [
  'externalUrl',
  'internalUrl',
  'stateDir',
  'queueWaitMs',
  'claimMs',
  'id',
  'port',
  '--token-file',
]

test.each<[string, string | undefined]>([
  ['externalURL', 'externalUrl'],
  ['external-url', 'externalUrl'],
  ['extrenalUrl', 'externalUrl'],
  ['internlUrl', 'internalUrl'],
  ['stateDirectory', 'stateDir'],
  ['queueWait', 'queueWaitMs'],
  ['--tokenfile', '--token-file'],
  ['ID', 'id'],
  ['prot', 'port'],
  ['proxy', undefined],
  ['x', undefined],
  ['colour', undefined],
  ['', undefined],
  ['a'.repeat(10_000), undefined],
])('by %j %j was meant', (written, meant) => expect(probableName(written, NAMES)).toBe(meant))
