import type { Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';

/** A provider of a module that the host may do without; undefined: it does. */
export function providerOf<T>(moduleRef: ModuleRef, type: Type<T>): T | undefined {
  try {
    return moduleRef.get(type, { strict: false });
  } catch {
    return undefined;
  }
}
