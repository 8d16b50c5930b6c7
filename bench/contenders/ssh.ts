/**
 * `ssh -R`: the other way to publish without an inbound port. An OpenSSH server of its own on loopback, with keys made for this run; users connect
 * to the ports it forwards. Ciphers are OpenSSH's defaults.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { Child } from '../harness/child.ts'
import { needProgram } from '../harness/machine.ts'
import { freePort, type Workspace } from '../harness/workspace.ts'
import { plainTargets, type Contender } from './contender.ts'

/** Where an sshd that root starts locks its unprivileged half in; the distribution's service makes it at every start. */
const EMPTY_ROOM = '/run/sshd'

export const sshRemoteForward: Contender = {
  name: 'ssh',
  title: 'ssh -R',
  async start(backends, workspace) {
    const sshd = needProgram('sshd', 'openssh-server')
    const ssh = needProgram('ssh', 'openssh-client')
    await makeEmptyRoom(workspace)
    const hostKey = makeKey(workspace, 'host')
    const userKey = makeKey(workspace, 'user')
    const [port, pages, uploads] = [await freePort(), await freePort(), await freePort()]

    const settings = {
      ListenAddress: '127.0.0.1',
      Port: port,
      HostKey: hostKey,
      AuthorizedKeysFile: `${userKey}.pub`,
      PidFile: 'none',
      StrictModes: 'no',
      UsePAM: 'no',
      PasswordAuthentication: 'no',
      PermitRootLogin: 'prohibit-password',
      AllowTcpForwarding: 'yes',
      LogLevel: 'ERROR',
    }
    const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`)
    await writeFile(workspace.path('sshd.conf'), lines.join(''))
    const server = new Child(workspace, 'sshd', sshd, [
      ...['-D', '-e', '-f', workspace.path('sshd.conf')],
    ])
    await server.listening(port)

    const known = (await readFile(`${hostKey}.pub`, 'utf8')).split(' ').slice(0, 2).join(' ')
    await writeFile(workspace.path('known'), `[127.0.0.1]:${port} ${known}\n`)
    const forward = (from: number, to: number) => ['-R', `127.0.0.1:${from}:127.0.0.1:${to}`]
    const client = new Child(workspace, 'ssh', ssh, [
      ...['-F', 'none', '-N', '-T', '-p', String(port), '-i', userKey],
      ...['-o', `UserKnownHostsFile=${workspace.path('known')}`, '-o', 'IdentitiesOnly=yes'],
      ...['-o', 'BatchMode=yes', '-o', 'ExitOnForwardFailure=yes', '-o', 'IdentityAgent=none'],
      ...forward(pages, backends.pages),
      ...forward(uploads, backends.uploads),
      `${userInfo().username}@127.0.0.1`,
    ])
    await client.listening(pages)
    await client.listening(uploads)
    return { ...plainTargets(pages, uploads), processes: [server, client] }
  },
}

async function makeEmptyRoom(workspace: Workspace): Promise<void> {
  if (process.getuid?.() !== 0 || existsSync(EMPTY_ROOM)) return
  await mkdir(EMPTY_ROOM, { mode: 0o755 })
  workspace.onClose(() => rmdir(EMPTY_ROOM).catch(() => undefined))
}

function makeKey(workspace: Workspace, name: string): string {
  const path = workspace.path(name)
  const made = spawnSync(needProgram('ssh-keygen', 'openssh-client'), [
    ...['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path],
  ])
  if (made.status !== 0) throw new Error(`ssh-keygen: ${made.stderr}`)
  return path
}
