/** Debian's container registry as the private application, and an image to push into it. */
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { fileOf } from '../debian-packages.ts'
import { until } from '../integration/tunnel.ts'
import { freePort } from '../served-process.ts'

export interface ContainerRegistry {
  readonly port: number
  stop(): Promise<void>
}

/** Serves on a free port of 127.0.0.1, without TLS and without asking who comes. */
export async function startContainerRegistry(directory: string): Promise<ContainerRegistry> {
  // Its configuration names the port, so that must be known before.
  const port = await freePort()
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'registry.json')
  const configuration = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(directory, 'data') } },
    http: { addr: `127.0.0.1:${port}`, secret: randomBytes(16).toString('hex') },
  }
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(configuration))
  const child = spawn(fileOf('docker-registry'), ['serve', file], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await until(async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined)
    return answer?.status === 200
  }, 60_000)
  return {
    port,
    async stop() {
      child.kill()
      await ended
    },
  }
}

/** An image of one layer in OCI's layout; the answer is the layer's digest. */
export function writeImage(directory: string, layerBytes: number): string {
  const blobs = join(directory, 'blobs', 'sha256')
  mkdirSync(blobs, { recursive: true })
  const put = (mediaType: string, content: Buffer | object) => {
    const octets = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content))
    const hash = createHash('sha256').update(octets).digest('hex')
    writeFileSync(join(blobs, hash), octets)
    return { mediaType, digest: `sha256:${hash}`, size: octets.length }
  }
  const kind = 'application/vnd.oci.image'
  const content = randomBytes(layerBytes)
  const layer = put(`${kind}.layer.v1.tar+gzip`, gzipSync(content, { level: 1 }))
  const diffId = `sha256:${createHash('sha256').update(content).digest('hex')}`
  const config = put(`${kind}.config.v1+json`, {
    ...{ architecture: 'amd64', os: 'linux', config: {} },
    rootfs: { type: 'layers', diff_ids: [diffId] },
  })
  const manifest = put(`${kind}.manifest.v1+json`, { schemaVersion: 2, config, layers: [layer] })
  const annotations = { 'org.opencontainers.image.ref.name': 'one' }
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(
    join(directory, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  )
  return layer.digest
}
