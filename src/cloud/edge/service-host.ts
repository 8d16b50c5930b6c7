/**
 * The service's own host, where no application is published: the keys of assertions, and what the
 * issuer knows one address for, whichever host its users came from.
 *
 * @module
 */
import { ASSERTION_KEYS_PATH } from '../../assertion/assertion-claims.ts'
import { readTarget } from '../../protocol/internal.ts'
import type { Directory } from '../directory/directory-port.ts'
import type { EdgeRequest } from '../request/edge-request.ts'
import { OwnPaths, type OwnPathTable } from '../request/own-paths.ts'
import { isServiceHost, serveKeys } from '../sign-on/assertion-key-paths.ts'
import type { Assertions } from '../sign-on/assertions.ts'
import type { UserRequestHead } from '../request/user-exchange.ts'

export class ServiceHost {
  readonly #assertions: Assertions
  readonly #directory: Pick<Directory, 'applications'>
  readonly #paths: OwnPaths

  /** `tables`: of applications that are called back here. */
  constructor(
    assertions: Assertions,
    directory: Pick<Directory, 'applications'>,
    ...tables: readonly OwnPathTable[]
  ) {
    this.#assertions = assertions
    this.#directory = directory
    const keys = ({ request }: { readonly request: EdgeRequest }) => serveKeys(assertions, request)
    this.#paths = new OwnPaths({ [ASSERTION_KEYS_PATH]: { GET: keys, HEAD: keys } }, ...tables)
  }

  /** Whether a host that publishes nothing is this one, and has something at a target. */
  has(authority: string, target: string, method?: string): boolean {
    if (!isServiceHost(this.#assertions, authority)) return false
    return this.#paths.has(target.split('?', 1)[0]!, method)
  }

  serves({ authority, target, method }: UserRequestHead): boolean {
    return this.has(authority, target, method)
  }

  serve(request: EdgeRequest): Promise<void> | void {
    const { head } = request.user
    const applications = this.#directory
      .applications()
      .filter(({ callback }) => callback === 'serviceHost')
    const target = readTarget(head.target, head.authority)
    return this.#paths.serve({ request, applications, target })
  }
}
