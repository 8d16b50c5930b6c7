import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { lockStateDirectory, startConnector } from '../src/connector/node/index.ts'

const HOLDER = fileURLToPath(new URL('../test/runtime/node/lock.child.ts', import.meta.url))

test('R8.6a a second process on a state directory is refused with the id of the first, and one that was killed keeps nobody out', async () => {
  const base = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  const stateDirectory = join(base, 'state')
  const holder = spawn(process.execPath, ['--import', 'tsx', HOLDER, stateDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    expect(await once(createInterface(holder.stdout), 'line')).toEqual(['locked'])
    const second = startConnector({ url: 'https://cloud.example', stateDirectory })
    await expect(second).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION_INVALID',
      message: expect.stringContaining(`in use by process ${holder.pid}`) as string,
    })
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const both = await Promise.allSettled([
      lockStateDirectory(stateDirectory),
      lockStateDirectory(stateDirectory),
    ])
    const got = both.find((one) => one.status === 'fulfilled')
    expect(both.filter((one) => one.status === 'rejected')).toHaveLength(1)
    await got?.value.release()
  } finally {
    holder.kill('SIGKILL')
    await rm(base, { recursive: true, force: true })
  }
})
