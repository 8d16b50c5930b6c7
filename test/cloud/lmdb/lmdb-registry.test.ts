import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openLmdbRegistry } from '../../../src/cloud/lmdb/index.ts'
import { connectorRegistrySuite } from '../connectors/connector-registry.suite.ts'

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
