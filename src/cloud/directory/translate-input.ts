/** What of an application's requests and answers is translated. @see docs/translation.md */
export interface TranslateInput {
  /**
   * Whether header fields are: URLs of the inside and of the outside, cookies, origins. Default:
   * true.
   */
  readonly headers?: boolean | undefined
  /**
   * Whether bodies are: `links` for the links of HTML and style sheets. Default: `none`.
   */
  readonly bodies?: 'none' | 'links' | undefined
  /**
   * Other media types, in lower case, such as `application/json`: in their text URLs are translated
   * wherever they stand. Needs `bodies` to be `links`. Default: none.
   */
  readonly mediaTypes?: readonly string[] | undefined
  /**
   * External origins of applications of the same tenant whose pages the application takes for what
   * they are inside: they appear in `Origin` and `Referer` by their internal URL. Its own needs to
   * be listed only where others share its host. Default: none.
   */
  readonly trustedOrigins?: readonly string[] | undefined
  /** How its cookies come to its users. */
  readonly cookies?: TranslateCookiesInput | undefined
}

/** How an application's cookies come to its users. */
export interface TranslateCookiesInput {
  /**
   * The `Domain` of cookies that come with one: a domain that the external host is in, and no host
   * of another tenant. Default: they have none, and are the external host’s alone.
   */
  readonly domain?: string | undefined
  /**
   * Whether their names get a prefix on the way to users: applications that share a host then do
   * not see each other’s. Default: false.
   */
  readonly prefixed?: boolean | undefined
  /**
   * Whether those with `SameSite=None` keep it; else it becomes `Lax`. For applications that other
   * sites post to, or show in frames. Default: true where `embedding` is set, else false.
   */
  readonly crossSite?: boolean | undefined
}
