/** A cloud that was reached, and answered the dialling of a link with a status of refusal. */
export class LinkRefused extends Error {
  override readonly name = 'LinkRefused'
  readonly status: number

  /** `asked`: what was refused, for the message. */
  constructor(status: number, asked: string) {
    super(`the cloud answered ${status} to ${asked}`)
    this.status = status
  }

  /** Whether it was this connector that was refused: its configuration says more. */
  get isOfConnector(): boolean {
    return this.status === 401 || this.status === 403
  }
}
