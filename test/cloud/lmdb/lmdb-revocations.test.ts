import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLmdbRevocations, type LmdbRevocations } from '../../../src/cloud/lmdb/index.ts'
import type { Application } from '../../../src/cloud/directory/directory-port.ts'
import type { Revocation } from '../../../src/cloud/session/session-revocations.ts'
import { revocationsSuite } from '../../suites/revocations.suite.ts'

const ISSUER = 'https://id.example'
const NOW = 1_800_000_000_000
const application = { id: 'wiki', tenantId: 'contoso' } as Application
const alice = {
  id: 'session-1',
  startedAt: NOW,
  user: { issuer: ISSUER, subject: 'alice' },
}

let directory: string
let path: string
const opened: LmdbRevocations[] = []
const open = (wallNow = NOW) => {
  const revocations = openLmdbRevocations({ path, readEveryMs: 10, wallClock: () => wallNow })
  opened.push(revocations)
  return revocations
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revocations-'))
  path = join(directory, 'revocations.lmdb')
})
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
  await rm(directory, { recursive: true })
})

revocationsSuite('LMDB', async () => open(Date.now()), { isShared: true })

test('it is still revoked when the service starts again', async () => {
  const first = open()
  await first.revoke({ kind: 'user', issuer: ISSUER, subject: 'alice', at: NOW })
  await first.close()
  opened.length = 0
  expect(open(NOW + 3_600_000).isRevoked(alice, application)).toBe(true)
})

test('another process that shares the file learns of it', async () => {
  const here = open()
  const told = new Promise<Revocation>((resolve) => here.subscribe(resolve))
  const module = new URL('../../../src/cloud/lmdb/index.ts', import.meta.url).href
  const child = spawn(
    process.execPath,
    [
      ...['--import', 'tsx', '--input-type=module', '-e'],
      `const { openLmdbRevocations } = await import(${JSON.stringify(module)})
       const revocations = openLmdbRevocations({ path: ${JSON.stringify(path)} })
       await revocations.revoke({ kind: 'application', applicationId: 'wiki', at: ${NOW} })
       await revocations.close()`,
    ],
    { stdio: 'inherit' },
  )
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(await told).toEqual({ kind: 'application', applicationId: 'wiki', at: NOW })
  expect(here.isRevoked(alice, application)).toBe(true)
})

test('what no session can outlive is forgotten, and numbers do not begin anew', async () => {
  const first = open()
  await first.revoke({ kind: 'session', id: 'session-1', at: NOW })
  await first.revoke({ kind: 'session', id: 'session-2', at: NOW })
  const twoDaysOn = NOW + 48 * 3_600_000
  const second = open(twoDaysOn)
  expect(second.isRevoked(alice, application)).toBe(false)
  // A process that was there all along reads on from where it was.
  const told = new Promise<Revocation>((resolve) => first.subscribe(resolve))
  await second.revoke({ kind: 'session', id: 'session-3', at: twoDaysOn })
  expect(await told).toMatchObject({ id: 'session-3' })
})

test('a listener that fails is told, and breaks nothing', async () => {
  const failures: unknown[] = []
  const revocations = openLmdbRevocations({
    path,
    readEveryMs: 5,
    onError: ({ port }) => failures.push(port),
  })
  opened.push(revocations)
  const told = new Promise<void>((resolve) => {
    revocations.subscribe(() => {
      resolve()
      throw new Error('a listener that fails')
    })
  })
  const other = open()
  await other.revoke({ kind: 'session', id: 'session-1', at: NOW })
  await told
  expect(failures).toEqual(['revocations.subscribe.listener'])
  expect(revocations.isRevoked(alice, application)).toBe(true)
})
