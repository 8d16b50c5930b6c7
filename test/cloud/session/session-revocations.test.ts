import { describe, expect, test } from 'vitest'
import type { Application } from '../../../src/cloud/directory/directory-port.ts'
import {
  MemoryRevocations,
  type Revocation,
} from '../../../src/cloud/session/session-revocations.ts'
import { revocationsSuite } from '../../suites/revocations.suite.ts'

const NOW = 1_700_000_000_000
const application = { id: 'intranet' } as Application
const caller = (over: object = {}) => ({
  id: 's1',
  user: { subject: 'alice', issuer: 'https://one.example' },
  issuerSession: 'sid-1',
  startedAt: NOW - 1_000,
  ...over,
})
const ALL: readonly Revocation[] = [
  { kind: 'session', id: 's1', at: NOW },
  { kind: 'user', issuer: 'https://one.example', subject: 'alice', at: NOW },
  { kind: 'issuer-session', issuer: 'https://one.example', issuerSession: 'sid-1', at: NOW },
  { kind: 'application', applicationId: 'intranet', at: NOW },
]

revocationsSuite('memory', async () => new MemoryRevocations(), { isShared: false })

describe('revocations in memory', () => {
  test('change their version, and tell whoever listens, until they do not', async () => {
    const revocations = new MemoryRevocations({ wallClock: () => NOW })
    const told: Revocation[] = []
    const end = revocations.subscribe((revocation) => void told.push(revocation))
    const { version } = revocations
    await revocations.revoke(ALL[0]!)
    expect(revocations.version).not.toBe(version)
    end()
    await revocations.revoke(ALL[1]!)
    expect(told).toEqual([ALL[0]])
  })

  test('of a session hold however often it was renewed; all others for what began up to then', async () => {
    for (const revocation of ALL) {
      const revocations = new MemoryRevocations({ wallClock: () => NOW })
      await revocations.revoke(revocation)
      expect(revocations.isRevoked(caller({ startedAt: NOW }), application)).toBe(true)
      const later = caller({ startedAt: NOW + 1 })
      expect(revocations.isRevoked(later, application)).toBe(revocation.kind === 'session')
    }
  })

  test('never move back', async () => {
    const revocations = new MemoryRevocations({ wallClock: () => NOW })
    await revocations.revoke(ALL[1]!)
    await revocations.revoke({ ...ALL[1]!, at: NOW - 60_000 })
    expect(revocations.isRevoked(caller(), application)).toBe(true)
  })

  test('may be limited to an application', async () => {
    const revocations = new MemoryRevocations({ wallClock: () => NOW })
    await revocations.revoke({ ...ALL[1]!, applicationId: 'wiki' } as Revocation)
    expect(revocations.isRevoked(caller(), application)).toBe(false)
    expect(revocations.isRevoked(caller(), { ...application, id: 'wiki' })).toBe(true)
  })

  test('are forgotten when no session can be that old, and above a number', async () => {
    let now = NOW
    const revocations = new MemoryRevocations({ wallClock: () => now, keepMs: 1_000, limit: 3 })
    await revocations.revoke(ALL[0]!)
    now += 1_001
    await revocations.revoke({ kind: 'session', id: 'other', at: now })
    expect(revocations.isRevoked(caller(), application)).toBe(false)
    for (const id of ['a', 'b', 'c']) await revocations.revoke({ kind: 'session', id, at: now })
    const isOver = (id: string) => revocations.isRevoked(caller({ id }), application)
    expect(['other', 'a', 'b', 'c'].map(isOver)).toEqual([false, true, true, true])
  })
})
