/**
 * What another process changes in the store of a running cloud takes effect there: judged by what users get.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { asOperator } from '../as-operator.ts'
import { openLmdbRegistry, type LmdbRegistry } from '../../src/cloud/lmdb/index.ts'
import { RawUser } from './raw-user.ts'
import { startTunnel, until, type Tunnel } from './tunnel.ts'

describe.each(['link over TLS', 'plain over TLS'] as const)(
  '%s',
  { timeout: 90_000 },
  (transport) => {
    let directory: string
    let registry: LmdbRegistry
    let open: ServerResponse[] = []
    let tunnel: Tunnel
    let connectorId: string
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'shared-'))
      registry = openLmdbRegistry({ path: join(directory, 'registry.lmdb') })
      tunnel = await startTunnel({
        transport,
        registry,
        groups: [{ id: 'empty', tenantId: 'contoso' }],
        backend: (request, response) => {
          if (request.url === '/quick') return void response.end('quick')
          response.write('the first part')
          open.push(response)
        },
        // Whoever asks while nobody serves is told so soon.
        limits: { queueWaitMs: 300, drainMs: 5_000 },
      })
      connectorId = tunnel.connector.identity.connectorId
    })
    beforeEach(() => {
      open = []
    })
    afterAll(async () => {
      await tunnel.close()
      await registry.close()
      await rm(directory, { recursive: true })
    })

    const order = (...words: string[]) => asOperator(directory, words.join(' '))
    const quick = async () => {
      const user = new RawUser(tunnel.port).ask('GET', '/quick', { connection: 'close' })
      await user.closed
      return user
    }
    const isServed = async () => (await quick()).received.endsWith('quick')
    const isNotServed = async () => (await quick()).status! >= 500
    const stream = async () => {
      const user = new RawUser(tunnel.port).ask('GET', '/stream')
      await until(() => user.received.includes('the first part'))
      return user
    }

    test('a connector that is disabled loses its link and what it serves, and comes back when it is enabled', async () => {
      const user = await stream()
      await order('standing', connectorId, 'disabled')
      await user.closed
      expect(user.isComplete).toBe(false)
      await until(() => open[0]!.closed)
      expect(await isNotServed()).toBe(true)
      await order('standing', connectorId, 'active')
      await until(isServed, 30_000)
    })

    test('one that drains finishes what it has, and is offered nothing more', async () => {
      const user = await stream()
      await order('standing', connectorId, 'draining')
      await until(isNotServed)
      open[0]!.end(', and the last')
      await until(() => user.isComplete)
      expect(user.received).toContain('and the last')
      user.leave()
      await order('standing', connectorId, 'active')
      await until(isServed, 30_000)
    })

    test('one that moves to another group is offered nothing of the one before', async () => {
      await order('group', connectorId, 'empty')
      await until(isNotServed)
      await order('group', connectorId, 'default')
      await until(isServed, 30_000)
    })

    test('one that is revoked loses its link and what it serves, for good', async () => {
      const user = await stream()
      await order('standing', connectorId, 'revoked')
      await user.closed
      expect(user.isComplete).toBe(false)
      await until(() => open[0]!.closed)
      expect(await isNotServed()).toBe(true)
    })
  },
)
