plugins {
    id("com.android.application") version "8.13.0"
    id("org.jetbrains.kotlin.android") version "2.2.20"
}

android {
    namespace = "io.github.peerlink.sample"
    compileSdk = 36

    defaultConfig {
        applicationId = "io.github.peerlink.sample"
        minSdk = 24
        targetSdk = 36
        versionCode = 1
        versionName = "1.0"
    }

    // shared: what of the sample does not need Android, and is tested without.
    sourceSets["main"].kotlin.srcDirs("src/main/kotlin", "src/shared/kotlin")

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin { jvmToolchain(17) }

dependencies {
    implementation(files("libs/peerlink.aar")) // made by ../build-aar.sh
}
