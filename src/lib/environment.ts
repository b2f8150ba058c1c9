/** The one seam for environment variables: those that a credentials file refers to by name. */
export interface Environment {
  /** The value of a variable, undefined where it is not set. */
  variable(name: string): string | undefined;
}

/**
 * The process's environment, read when a value is asked for and never at import: a variable may be set between the
 * two, and the names come from the user's own file.
 */
export const systemEnvironment: Environment = { variable: (name) => process.env[name] };
