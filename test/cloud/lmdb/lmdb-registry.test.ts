import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { RegistryChange, TicketRecord } from '../../../src/cloud/index.ts'
import { openLmdbRegistry } from '../../../src/cloud/lmdb/index.ts'
import { asOperator } from '../../as-operator.ts'
import { until } from '../../until.ts'
import { connectorRegistrySuite } from '../../suites/connector-registry.suite.ts'

connectorRegistrySuite('LMDB', openInTemporaryDirectory, { survives: true })

async function openInTemporaryDirectory() {
  const directory = await mkdtemp(join(tmpdir(), 'registry-'))
  const path = join(directory, 'registry.lmdb')
  let registry = openLmdbRegistry({ path })
  return {
    registry,
    async reopen() {
      await registry.close()
      registry = openLmdbRegistry({ path })
      return registry
    },
    async close() {
      await registry.close()
      await rm(directory, { recursive: true })
    },
  }
}

test('a process killed right after its answer has kept what it answered', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'registry-'))
  const path = join(directory, 'registry.lmdb')
  try {
    for (let round = 0; round < 3; round++) {
      const answered = await registerAndDie(path, `connector-${round}`)
      const registry = openLmdbRegistry({ path })
      const { connector, certificate } = answered
      expect(await registry.connector(connector.id)).toEqual(connector)
      expect((await registry.certificate(certificate.serial))?.keyId).toBe(certificate.keyId)
      expect(await registry.list('contoso')).toHaveLength(round + 1)
      await registry.close()
    }
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('what another process changes is told here, once and in order, with what was changed here', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'registry-'))
  const registry = openLmdbRegistry({ path: join(directory, 'registry.lmdb'), readEveryMs: 10 })
  try {
    const told: RegistryChange[] = []
    registry.onChange((change) => told.push(change))
    await asOperator(directory, 'register one', 'standing one draining', 'group one other')
    await until(() => told.length === 3)
    await registry.setStanding('one', 'active', 1)
    expect(told).toMatchObject([
      { type: 'registered', connector: { id: 'one', standing: 'active' } },
      { type: 'changed', connector: { standing: 'draining' }, links: 'drain' },
      { type: 'changed', connector: { groupId: 'other' }, links: 'drain' },
      { type: 'changed', connector: { standing: 'active', standingSince: 1 }, links: 'keep' },
    ])
  } finally {
    await registry.close()
    await rm(directory, { recursive: true })
  }
})

test('of two processes that show one ticket at once, one gets its connector', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'registry-'))
  const registry = openLmdbRegistry({ path: join(directory, 'registry.lmdb') })
  try {
    const now = Date.now()
    const ticket: TicketRecord = {
      ...{ id: 'ticket', hash: 'hash', tenantId: 'contoso', groupId: 'default' },
      ...{ standing: 'active', maker: { as: 'operator', name: 'carol' } },
      ...{ createdAt: now, expiresAt: now + 60_000 },
    }
    await registry.addTicket({ ticket, limit: 1, now })
    const said = await Promise.all(
      ['one', 'two'].map((id) => asOperator(directory, `enrol ${id} hash`)),
    )
    const [connector] = await registry.list('contoso')
    expect(said).toContainEqual(connector)
    expect(said).toContain('ticket-refused')
    expect(await registry.list('contoso')).toHaveLength(1)
    expect(await registry.ticket('hash')).toMatchObject({ used: { keyId: connector!.id } })
  } finally {
    await registry.close()
    await rm(directory, { recursive: true })
  }
}, 120_000)

test('whoever missed changes is told of every connector', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'registry-'))
  const path = join(directory, 'registry.lmdb')
  // It does not read on by itself: as if it had been stopped.
  const stopped = openLmdbRegistry({ path, readEveryMs: 1_000_000 })
  try {
    await asOperator(directory, 'register one', 'register two', 'groups two 1100')
    const told: RegistryChange[] = []
    stopped.onChange((change) => told.push(change))
    await stopped.setStanding('one', 'revoked', 1)
    expect(told).toMatchObject([
      { type: 'changed', connector: { id: 'one', standing: 'revoked' }, links: 'cut' },
      { type: 'changed', connector: { id: 'two', groupId: 'g-1099' }, links: 'drain' },
    ])
  } finally {
    await stopped.close()
    await rm(directory, { recursive: true })
  }
})

/** Registers in a child process that is killed the moment it has said what it answered. */
async function registerAndDie(path: string, connectorId: string) {
  const script = fileURLToPath(new URL('./lmdb-registry.child.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, path, connectorId], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  for await (const chunk of child.stdout) {
    said += String(chunk)
    if (said.includes('\n')) break
  }
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  expect(child.signalCode).toBe('SIGKILL')
  return JSON.parse(said) as {
    connector: { id: string }
    certificate: { serial: string; keyId: string }
  }
}
