# The application as an image: docs/deployment.md tells how to run it.
ARG NODE=24

FROM node:${NODE}-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY scripts/keep-runtime-dependencies.mjs scripts/
COPY captures captures
COPY src src
RUN npm run build && node scripts/keep-runtime-dependencies.mjs && npm prune --no-audit --no-fund

FROM node:${NODE}-trixie-slim
ENV NODE_ENV=production
WORKDIR /app
# Where an SQLite file is put unless told: a volume that is mounted here belongs to the user below.
RUN install -d -o 1000 -g 1000 data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/captures captures
COPY --from=build /app/dist dist
COPY deploy/healthcheck.mjs deploy/
# `node` of the base image, as a number: Kubernetes can't tell of a name that it isn't root.
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "deploy/healthcheck.mjs"]
# No shell and no npm between: SIGTERM reaches node, which hears it as the first process, too.
CMD ["node", "--enable-source-maps", "dist/main.js"]
