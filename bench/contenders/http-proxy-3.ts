import { startProgram } from '../harness/child.ts'
import { plainTargets, type Contender } from './contender.ts'

/** The yardstick: what Node users put in front of an application when nothing has to be dialled from inside. */
export const httpProxy3: Contender = {
  name: 'http-proxy-3',
  title: 'http-proxy-3, one hop',
  async start(backends, workspace) {
    const child = startProgram(workspace, 'http-proxy-3', backends)
    const { port } = await child.line<{ port: number }>('port')
    return { ...plainTargets(port), processes: [child] }
  },
}
